"""Parameters of an encryption, chosen from the number of summands and their size.

The margins are thin: a plan decrypts correctly, always or except with a probability below 2^-128, or it is refused
before any training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from fedcli.core.errors import ConfigError
from fedcli.crypto.bfv.bounds import noise, room
from fedcli.crypto.bfv.packing import Packing
from fedcli.crypto.bfv.seal import MOST_PLAIN_BITS, Ring, ring

FAILURE_BITS = 128
"""The probability of a wrongly decrypted coefficient is below 2^-128."""

STATISTICAL_BITS = 40
"""All answers of a run are within a statistical distance of 2^-40 of answers that reveal nothing but the sums."""

ATTEMPTS = 3
"""Attempts to decrypt one sum, each by another active set."""

MOST_VALUES = 1 << 27
"""Values in a sum of a committee, at most; the size of a model is not known when its encryption is planned."""

MOST_MEMBERS = 30

_MOST_SUMMANDS = 1 << 20
_PLAIN_BITS = range(20, MOST_PLAIN_BITS + 1)
_MOST_SMUDGING_BITS = 126  # smudging noise is drawn as pairs of 64-bit words

SHARED_KEY_RINGS = ((4096, (60,)), (8192, (60, 60, 60)))
# Smudging that covers a whole run takes three words a coefficient. Together with a prime for keys, which may be short
# because nothing is multiplied by a key, they are as long as SEAL's table permits: 218 bits.
THRESHOLD_RINGS = ((8192, (60, 60, 60, 38)),)


@dataclass(frozen=True)
class Plan:
    """Parameters of a scheme; public.

    Args:
        num_summands: largest number of summands.
        largest_value: largest absolute value in one summand.
        largest_sum: largest absolute value in the sum.
        fields: integers in a slot.
        radix: base of the fields; 2 largest_sum + 1.
        degree: N.
        prime_bits: bits of each prime modulus.
        plain_bits: bits of the plain modulus t.
        members: size of the committee that holds the key; 0 if one key is shared.
        threshold: members that decrypt together.
        smudging_bits: a partial decryption carries noise that is uniform in [-2^bits, 2^bits).
        num_sums: sums that are decrypted under the committee's key; 0 if one key is shared.
        noise_bits: binary logarithm of the noise that smudging hides.
        distance_bits: the answers of all `num_sums` sums, at `ATTEMPTS` attempts each and `MOST_VALUES` values, are
            within a statistical distance of 2^-distance_bits of answers that reveal nothing but the sums.
        failure_bits: the probability of a wrongly decrypted coefficient is below 2^-failure_bits; infinite if the
            noise cannot cause one.
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
    num_sums: int
    # Not in the repr, which is part of the fingerprint: logarithms differ in the last digit between machines.
    noise_bits: float = field(repr=False, compare=False)
    distance_bits: float = field(repr=False, compare=False)
    failure_bits: float = field(repr=False, compare=False)

    @property
    def ring(self) -> Ring:
        """SEAL's tables for these parameters; made once in a process."""
        return ring(self.degree, self.prime_bits, self.plain_bits)

    @property
    def packing(self) -> Packing:
        """Layout of integers in slots."""
        return Packing(self.degree, self.fields, self.radix, self.ring.plain_modulus, self.largest_value)

    @property
    def bytes_per_value(self) -> float:
        """Encrypted bytes for each integer, in full ciphertexts."""
        # With a shared key the second polynomial travels as a seed.
        polynomials = 2 if self.members else 1
        return 8.0 * polynomials * len(self.ring.data_primes) / self.fields


def plan_shared_key(num_summands: int, *, bits: int, noise_tail: int = 0) -> Plan:
    """Parameters for sums that are encrypted and decrypted with one key, with the fewest bytes.

    Args:
        num_summands: largest number of summands.
        bits: the values of a summand lie in [-2^bits, 2^bits], before noise.
        noise_tail: largest absolute value of the noise in the sum; see `gaussian_tail`.

    Raises:
        ConfigError: if no parameters are large enough, or the package tenseal is missing.
    """
    return _cheapest(_Asked(num_summands, bits, noise_tail), SHARED_KEY_RINGS)


def plan_threshold(
    num_summands: int, *, members: int, threshold: int, bits: int, noise_tail: int = 0, num_sums: int = 1
) -> Plan:
    """Parameters for sums that `threshold` of a committee's `members` decrypt together.

    Args:
        num_summands: largest number of summands.
        members: size of the committee, at most 30.
        threshold: members that decrypt together; with one fewer they learn nothing.
        bits: the values of a summand lie in [-2^bits, 2^bits], before noise.
        noise_tail: largest absolute value of the noise in the sum; see `gaussian_tail`.
        num_sums: number of sums that are decrypted under one key, at least 1.

    Raises:
        ConfigError: if no parameters are large enough, or the package tenseal is missing.
    """
    if not 2 <= members <= MOST_MEMBERS:
        raise ConfigError(f"a committee has 2 to {MOST_MEMBERS} members; received {members}.", key="members")
    if not 2 <= threshold <= members:
        raise ConfigError(
            f"threshold must lie between 2 and the number of members, {members}; received {threshold}.",
            key="threshold",
            hint="With a threshold of 1 every member could decrypt alone.",
        )
    if num_sums < 1:
        raise ConfigError(f"a key is planned for at least one sum; received {num_sums}.", key="num_sums")
    return _cheapest(_Asked(num_summands, bits, noise_tail, members, threshold, num_sums), THRESHOLD_RINGS)


def gaussian_tail(deviation: float, num_values: int) -> int:
    """A bound that noise exceeds in any of `num_values` values with probability below 2^-40.

    Args:
        deviation: sigma of the noise in the sum, in grid steps.
        num_values: length of the vectors times the number of rounds.
    """
    # An overflow would corrupt the neighbouring field, so the bound covers all values that are ever drawn.

    return math.ceil(deviation * math.sqrt(2 * math.log(2) * (41 + math.log2(max(1, num_values)))))


class _Asked(NamedTuple):
    """The arguments of `plan_threshold`."""

    num_summands: int
    bits: int
    noise_tail: int
    members: int = 0
    threshold: int = 0
    num_sums: int = 0

    @property
    def largest_sum(self) -> int:
        return (self.num_summands << self.bits) + self.noise_tail

    @property
    def radix(self) -> int:
        return 2 * self.largest_sum + 1


def _cheapest(asked: _Asked, rings: tuple[tuple[int, tuple[int, ...]], ...]) -> Plan:
    if not 1 <= asked.num_summands <= _MOST_SUMMANDS:
        raise ConfigError(
            f"1 to {_MOST_SUMMANDS} summands are supported; received {asked.num_summands}.",
            key="num_summands",
        )
    if not 1 <= asked.bits <= 52 or asked.noise_tail < 0:
        raise ConfigError(
            "bits must lie between 1 and 52, and the noise tail must not be negative; "
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
        with_noise = f" with noise up to {asked.noise_tail}" if asked.noise_tail else ""
        ways = (
            ", fewer summands, a lower threshold or a smaller committee"
            if asked.members
            else " or fewer summands"
        )
        raise ConfigError(
            f"no parameters hold {asked.num_summands} summands of {asked.bits} bits{with_noise}: a sum takes "
            f"{asked.radix.bit_length()} bits, and too little room is left for the noise of the encryption.",
            key="bits",
            hint=f"Use fewer bits{ways}.",
        )
    # Fewest bytes first; among equals the smaller ring.
    return min(plans, key=lambda plan: (plan.bytes_per_value, plan.degree, len(plan.prime_bits), plan.fields))


def _fitted(asked: _Asked, fields: int, *, degree: int, prime_bits: tuple[int, ...]) -> Plan | None:
    """The plan with this ring and these fields, or None if it does not fit; see `bounds` for the derivation."""
    least = asked.radix**fields
    # The fewest bits leave the most room for noise. SEAL wants t below q and coprime to it, and primes of the same
    # length could be equal.
    plain_bits = next(
        (
            bits
            for bits in range(max(_PLAIN_BITS[0], least.bit_length()), _PLAIN_BITS[-1] + 1)
            if bits not in prime_bits and ring(degree, prime_bits, bits).plain_modulus > least
        ),
        None,
    )
    if plain_bits is None:
        return None
    available = room(ring(degree, prime_bits, plain_bits))
    certain, proxy, ceiling = noise(asked.num_summands, degree, asked.members)
    likely = math.sqrt(2 * proxy * math.log(2) * (FAILURE_BITS + 1))
    # The largest noise of all coins, where it fits; else what it exceeds with a probability below 2^-128.
    for bound in (ceiling, likely) if likely < ceiling else (ceiling,):
        smudging_bits, distance_bits, taken = 0, math.inf, certain
        if asked.members:
            # Smudging takes all the room that is left: the more of it, the less an answer reveals.
            left = (available - bound - certain) / asked.threshold
            smudging_bits = min(_MOST_SMUDGING_BITS, math.floor(math.log2(left))) if left >= 1 else 0
            # A ciphertext that is only partly filled has as many coefficients as a full one.
            answered = asked.num_sums * ATTEMPTS * (MOST_VALUES + degree)
            distance_bits = smudging_bits + 1 - math.log2((bound + certain) * answered)
            taken += asked.threshold * 2.0**smudging_bits
        slack = available - taken
        if slack >= bound and distance_bits >= STATISTICAL_BITS:
            break
    else:
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
        num_sums=asked.num_sums,
        noise_bits=math.log2(bound + certain),
        distance_bits=distance_bits,
        failure_bits=math.inf if slack >= ceiling else slack**2 / (2 * proxy * math.log(2)) - 1,
    )
