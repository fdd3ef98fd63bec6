"""From a number of summands and their bits to the parameters of a scheme, or a refusal with its reason.

How the bound on failure comes about. A ciphertext of m is q m / t + e with a small noise e, and is decrypted rightly
where the noise of the sum stays below q / 2t. Its parts:

- shared key: every summand adds a centred binomial of 42 coins (|e| <= 21, sub-Gaussian with proxy 10.5) and 1/2 by
  rounding q m / t.
- public key, two primes: u e_pk + e_0 + e_1 s and 1/2. With c members |s|^2 <= c N and |e_pk|^2 <= 3/2 10.5 c N but for
  a probability below 2^-400 (Hsu, Kakade and Zhang 2012, arXiv:1110.2842), and a ternary u has the proxy 2/3, so
  that of the sum is 10.5 (1 + 2 c N) a summand.
- public key, three primes: this is divided by the last prime, which leaves the rounding r_0 + r_1 s, r uniform
  in [-1/2, 1/2] (proxy 1/12), so the proxy is (1 + c N) / 12 a summand. 3/2 covers q m / t and the divided part.
- the zero that is added at an attempt: u e_pk with u ternary and public: proxy 10.5 c N.
- smudging: at most 2^smudging_bits a member, counted in full.

A sub-Gaussian variable with proxy v exceeds sqrt(2 v ln(2) (b + 1)) with probability below 2^-b; b = 128 here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from fedcli.core.errors import ConfigError
from fedcli.crypto.encryption.packing import Packing
from fedcli.crypto.encryption.seal import MOST_PLAIN_BITS, Ring, ring

FAILURE_BITS = 128
"""A coefficient is decrypted wrongly with probability below 2^-128."""

STATISTICAL_BITS = 40
"""Smudging noise is at least 2^40 times the noise that it hides."""

MOST_MEMBERS = 30

_NOISE_PROXY = 10.5
_LARGEST_NOISE = 21
_MOST_SUMMANDS = 1 << 20
_PLAIN_BITS = range(20, MOST_PLAIN_BITS + 1)
# SEAL's rounding in residues is inexact by less than this share of q / 2t.
_ROUNDING_SHARE = 2.0**-20
_MOST_SMUDGING_BITS = 62

SHARED_KEY_RINGS = ((4096, (60,)), (8192, (60, 60, 60)))
THRESHOLD_RINGS = ((8192, (59, 60)), (8192, (60, 60, 60)))


@dataclass(frozen=True)
class Plan:
    """Parameters of a scheme; public.

    Args:
        num_summands: the most that may be added.
        largest_value: of one summand, as an absolute value.
        largest_sum: of all summands, as an absolute value.
        fields: integers in a slot.
        radix: of the fields; 2 largest_sum + 1.
        degree: N.
        prime_bits: bits of each prime modulus.
        plain_bits: bits of the plain modulus t.
        members: of the committee that holds the key; 0 where one key is shared.
        threshold: members that decrypt.
        smudging_bits: a partial decryption carries noise that is uniform in [-2^bits, 2^bits).
        noise_bits: binary logarithm of the noise that smudging hides.
        failure_bits: a coefficient is decrypted wrongly with probability below 2^-failure_bits; infinite
            where the noise is too small to do so.
    """

    num_summands: int
    largest_value: int
    largest_sum: int
    fields: int
    radix: int
    degree: int
    prime_bits: tuple[int, ...]
    plain_bits: int
    members: int
    threshold: int
    smudging_bits: int
    # Logarithms differ in the last digit between machines, and the shown plan is part of the fingerprint.
    noise_bits: float = field(repr=False, compare=False)
    failure_bits: float = field(repr=False, compare=False)

    @property
    def ring(self) -> Ring:
        """SEAL's tables for the parameters; made once a process."""
        return ring(self.degree, self.prime_bits, self.plain_bits)

    @property
    def packing(self) -> Packing:
        """How integers lie in slots."""
        return Packing(self.degree, self.fields, self.radix, self.ring.plain_modulus, self.largest_value)

    @property
    def bytes_per_value(self) -> float:
        """Bytes that an integer becomes, of full ciphertexts: seeded with a shared key, else two polynomials."""
        polynomials = 2 if self.members else 1
        return 8.0 * polynomials * len(self.ring.data_primes) / self.fields


def plan_shared_key(num_summands: int, *, bits: int, noise_tail: int = 0) -> Plan:
    """Parameters for sums that are encrypted and decrypted with one key: the fewest bytes that hold.

    Args:
        num_summands: the most that may be added.
        bits: a summand lies in [-2^bits, 2^bits], before noise.
        noise_tail: the largest absolute value of the noise in the sum; see `gaussian_tail`.

    Raises:
        ConfigError: if no parameters hold, or the package tenseal is absent.
    """
    return _cheapest(SHARED_KEY_RINGS, num_summands, bits, noise_tail, members=0, threshold=0)


def plan_threshold(
    num_summands: int, *, members: int, threshold: int, bits: int, noise_tail: int = 0
) -> Plan:
    """Parameters for sums that `threshold` of a committee's `members` decrypt together.

    Args:
        num_summands: the most that may be added.
        members: of the committee, at most 30.
        threshold: members that decrypt; one less learn nothing.
        bits: a summand lies in [-2^bits, 2^bits], before noise.
        noise_tail: the largest absolute value of the noise in the sum; see `gaussian_tail`.

    Raises:
        ConfigError: if no parameters hold, or the package tenseal is absent.
    """
    if not 2 <= members <= MOST_MEMBERS:
        raise ConfigError(f"a committee has 2 to {MOST_MEMBERS} members; received {members}.", key="members")
    if not 2 <= threshold <= members:
        raise ConfigError(
            f"threshold lies between 2 and the {members} members; received {threshold}.",
            key="threshold",
            hint="With a threshold of 1 every member could decrypt alone.",
        )
    return _cheapest(THRESHOLD_RINGS, num_summands, bits, noise_tail, members=members, threshold=threshold)


def gaussian_tail(deviation: float, num_values: int) -> int:
    """The bound that noise of this deviation exceeds in any of `num_values` values with probability below 2^-40.

    Args:
        deviation: sigma of the noise in the sum, in steps of the grid.
        num_values: length of the vectors, times how often they are drawn.
    """
    return math.ceil(deviation * math.sqrt(2 * math.log(2) * (41 + math.log2(max(1, num_values)))))


def _cheapest(
    rings: tuple[tuple[int, tuple[int, ...]], ...],
    num_summands: int,
    bits: int,
    noise_tail: int,
    *,
    members: int,
    threshold: int,
) -> Plan:
    if not 1 <= num_summands <= _MOST_SUMMANDS:
        raise ConfigError(
            f"1 to {_MOST_SUMMANDS} summands can be planned for; received {num_summands}.", key="num_summands"
        )
    if not 1 <= bits <= 52 or noise_tail < 0:
        raise ConfigError(
            f"bits lies between 1 and 52 and the noise's tail is not negative; received {bits} and {noise_tail}.",
            key="bits",
        )
    largest_sum = (num_summands << bits) + noise_tail
    radix = 2 * largest_sum + 1
    plans = [
        made
        for degree, prime_bits in rings
        for fields in range(1, 1 + _PLAIN_BITS[-1] // radix.bit_length() + 1)
        if (made := _fitted(num_summands, bits, noise_tail, degree, prime_bits, fields, members, threshold))
    ]
    if not plans:
        raise ConfigError(
            f"no parameters hold {num_summands} summands of {bits} bits"
            + (f" with noise up to {noise_tail}" if noise_tail else "")
            + f": a sum takes {radix.bit_length()} bits, and too little room is left for the noise of the encryption.",
            key="bits",
            hint="Use fewer bits, fewer summands"
            + (", a lower threshold or a smaller committee." if members else "."),
        )
    return min(plans, key=lambda plan: (plan.bytes_per_value, plan.degree, len(plan.prime_bits), plan.fields))


def _fitted(
    num_summands: int,
    bits: int,
    noise_tail: int,
    degree: int,
    prime_bits: tuple[int, ...],
    fields: int,
    members: int,
    threshold: int,
) -> Plan | None:
    """The plan with this ring and these fields, or None where it cannot hold."""
    largest_sum = (num_summands << bits) + noise_tail
    radix = 2 * largest_sum + 1
    plain_bits = _plain_bits(degree, prime_bits, radix**fields)
    if plain_bits is None:
        return None
    tables = ring(degree, prime_bits, plain_bits)
    # A scaled plaintext is rounded twice: by SEAL to a whole number, then to a multiple of the scale.
    rounding = _ROUNDING_SHARE + (2.0**-tables.scale_bits if tables.scale_bits else 0.0)
    room = math.prod(tables.data_primes) / (2 * tables.plain_modulus) * (1 - rounding)
    certain, proxy, ceiling = _noise(num_summands, degree, members, divided=len(prime_bits) > 2)
    bound = min(ceiling, math.sqrt(2 * proxy * math.log(2) * (FAILURE_BITS + 1)))
    smudging_bits = 0
    if members:
        left = (room - bound - certain) / threshold
        smudging_bits = min(_MOST_SMUDGING_BITS, math.floor(math.log2(left))) if left >= 1 else 0
        if smudging_bits < math.log2(bound + certain) + STATISTICAL_BITS:
            return None
        certain += threshold * 2.0**smudging_bits
    slack = room - certain
    if slack < bound:
        return None
    failure_bits = math.inf if slack >= ceiling else slack**2 / (2 * proxy * math.log(2)) - 1
    return Plan(
        num_summands=num_summands,
        largest_value=(1 << bits) + noise_tail,
        largest_sum=largest_sum,
        fields=fields,
        radix=radix,
        degree=degree,
        prime_bits=prime_bits,
        plain_bits=plain_bits,
        members=members,
        threshold=threshold,
        smudging_bits=smudging_bits,
        noise_bits=math.log2(bound),
        failure_bits=failure_bits,
    )


def _plain_bits(degree: int, prime_bits: tuple[int, ...], least: int) -> int | None:
    """The fewest bits of a plain modulus above `least`."""
    for bits in range(max(_PLAIN_BITS[0], least.bit_length()), _PLAIN_BITS[-1] + 1):
        # SEAL wants t below q, and coprime to it; primes of the same length could be equal.
        if bits in prime_bits:
            continue
        if ring(degree, prime_bits, bits).plain_modulus > least:
            return bits
    return None


def _noise(num_summands: int, degree: int, members: int, *, divided: bool) -> tuple[float, float, float]:
    """Of the sum's noise: what is certain, the proxy of the rest, and the most the rest can be."""
    if not members:
        return num_summands / 2, _NOISE_PROXY * num_summands, float(_LARGEST_NOISE * num_summands)
    squared_key = members * degree
    zero = _NOISE_PROXY * squared_key
    if not divided:
        return num_summands / 2, num_summands * _NOISE_PROXY * (1 + 2 * squared_key) + zero, math.inf
    return 1.5 * num_summands, num_summands * (1 + squared_key) / 12 + zero, math.inf
