"""From a number of summands and their bits to the parameters of a scheme, or a refusal with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from fedcli.core.errors import ConfigError
from fedcli.crypto.bfv.bounds import noise, room
from fedcli.crypto.bfv.packing import Packing
from fedcli.crypto.bfv.seal import MOST_PLAIN_BITS, Ring, ring

FAILURE_BITS = 128
"""A coefficient is decrypted wrongly with probability below 2^-128."""

STATISTICAL_BITS = 40
"""Smudging noise is at least 2^40 times the noise that it hides."""

MOST_MEMBERS = 30

_MOST_SUMMANDS = 1 << 20
_PLAIN_BITS = range(20, MOST_PLAIN_BITS + 1)
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
    return _cheapest(_Asked(num_summands, bits, noise_tail), SHARED_KEY_RINGS)


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
    return _cheapest(_Asked(num_summands, bits, noise_tail, members, threshold), THRESHOLD_RINGS)


def gaussian_tail(deviation: float, num_values: int) -> int:
    """The bound that noise of this deviation exceeds in any of `num_values` values with probability below 2^-40.

    Args:
        deviation: sigma of the noise in the sum, in steps of the grid.
        num_values: length of the vectors, times how often they are drawn.
    """
    return math.ceil(deviation * math.sqrt(2 * math.log(2) * (41 + math.log2(max(1, num_values)))))


class _Asked(NamedTuple):
    """What a plan is to hold; the arguments of `plan_threshold`."""

    num_summands: int
    bits: int
    noise_tail: int
    members: int = 0
    threshold: int = 0

    @property
    def largest_sum(self) -> int:
        return (self.num_summands << self.bits) + self.noise_tail

    @property
    def radix(self) -> int:
        return 2 * self.largest_sum + 1


def _cheapest(asked: _Asked, rings: tuple[tuple[int, tuple[int, ...]], ...]) -> Plan:
    if not 1 <= asked.num_summands <= _MOST_SUMMANDS:
        raise ConfigError(
            f"1 to {_MOST_SUMMANDS} summands can be planned for; received {asked.num_summands}.",
            key="num_summands",
        )
    if not 1 <= asked.bits <= 52 or asked.noise_tail < 0:
        raise ConfigError(
            f"bits lies between 1 and 52 and the noise's tail is not negative; "
            f"received {asked.bits} and {asked.noise_tail}.",
            key="bits",
        )
    most_fields = 1 + MOST_PLAIN_BITS // asked.radix.bit_length()
    plans = [
        made
        for degree, prime_bits in rings
        for fields in range(1, 1 + most_fields)
        if (made := _fitted(asked, fields, degree=degree, prime_bits=prime_bits))
    ]
    if not plans:
        raise _refusal(asked)
    return min(plans, key=lambda plan: (plan.bytes_per_value, plan.degree, len(plan.prime_bits), plan.fields))


def _refusal(asked: _Asked) -> ConfigError:
    return ConfigError(
        f"no parameters hold {asked.num_summands} summands of {asked.bits} bits"
        + (f" with noise up to {asked.noise_tail}" if asked.noise_tail else "")
        + f": a sum takes {asked.radix.bit_length()} bits, "
        "and too little room is left for the noise of the encryption.",
        key="bits",
        hint="Use fewer bits, fewer summands"
        + (", a lower threshold or a smaller committee." if asked.members else "."),
    )


def _fitted(asked: _Asked, fields: int, *, degree: int, prime_bits: tuple[int, ...]) -> Plan | None:
    """The plan with this ring and these fields, or None where it cannot hold."""
    plain_bits = _plain_bits(degree, prime_bits, asked.radix**fields)
    if plain_bits is None:
        return None
    available = room(ring(degree, prime_bits, plain_bits))
    certain, proxy, ceiling = noise(asked.num_summands, degree, asked.members, divided=len(prime_bits) > 2)
    bound = min(ceiling, math.sqrt(2 * proxy * math.log(2) * (FAILURE_BITS + 1)))
    smudging_bits = 0
    if asked.members:
        left = (available - bound - certain) / asked.threshold
        smudging_bits = min(_MOST_SMUDGING_BITS, math.floor(math.log2(left))) if left >= 1 else 0
        if smudging_bits < math.log2(bound + certain) + STATISTICAL_BITS:
            return None
        certain += asked.threshold * 2.0**smudging_bits
    slack = available - certain
    if slack < bound:
        return None
    return Plan(
        num_summands=asked.num_summands,
        largest_value=(1 << asked.bits) + asked.noise_tail,
        largest_sum=asked.largest_sum,
        fields=fields,
        radix=asked.radix,
        degree=degree,
        prime_bits=prime_bits,
        plain_bits=plain_bits,
        members=asked.members,
        threshold=asked.threshold,
        smudging_bits=smudging_bits,
        noise_bits=math.log2(bound),
        failure_bits=math.inf if slack >= ceiling else slack**2 / (2 * proxy * math.log(2)) - 1,
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
