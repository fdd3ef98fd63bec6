"""Packing of several signed integers into each slot of a ciphertext.

Sums of packed slots unpack to sums of the integers, and a packed vector needs fewer ciphertexts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError
from fedcli.crypto.bfv.errors import DecryptionError
from fedcli.crypto.bfv.seal import Words

Integers = npt.NDArray[np.int64]


class Packing(NamedTuple):
    """Layout of integers in slots. A slot is a coefficient of a plaintext, because sums need no products of slots.

    A slot with the fields f_0, f_1, ... holds f_0 + radix f_1 + radix^2 f_2 + ... modulo t. The digits are balanced,
    |f| <= (radix - 1) / 2, so a sum needs no offset and a missing summand counts as zeros.

    Args:
        slots: slots of one ciphertext.
        fields: integers in a slot.
        radix: odd; above twice the largest sum.
        plain_modulus: t, above radix^fields.
        largest_value: largest absolute value in one summand.
    """

    slots: int
    fields: int
    radix: int
    plain_modulus: int
    largest_value: int

    def num_ciphertexts(self, num_values: int) -> int:
        """Number of ciphertexts that hold `num_values` integers."""
        return -(-num_values // (self.slots * self.fields))


def pack(values: Integers, packing: Packing) -> Words:
    """Integers, shape [P], as slots modulo t, shape [ciphertexts, N]; unused fields are zero.

    Raises:
        ConfigError: if the values are not int64, or one is beyond `largest_value`.
    """
    if values.ndim != 1 or values.dtype != np.int64:
        raise ConfigError(
            f"int64 values of shape [P] are expected; received {values.dtype} of shape {values.shape}."
        )
    # np.abs would leave the smallest int64 negative.
    if values.size and max(int(values.max()), -int(values.min())) > packing.largest_value:
        raise ConfigError(
            f"a value to be encrypted is beyond {packing.largest_value}, the largest value of the encryption plan.",
            hint="Clip the values, or plan with more bits.",
        )
    padded = np.zeros((packing.num_ciphertexts(values.size), packing.fields, packing.slots), np.int64)
    padded.reshape(-1)[: values.size] = values
    # Horner's scheme, from the highest field down.
    slots = padded[:, -1].copy()
    for field in range(packing.fields - 2, -1, -1):
        slots = slots * packing.radix + padded[:, field]
    return np.where(slots < 0, slots + packing.plain_modulus, slots).astype(np.uint64)


def unpack(slots: Words, packing: Packing, num_values: int) -> Integers:
    """The inverse of `pack`, also for sums: slots, shape [ciphertexts, N], as integers, shape [P].

    Raises:
        DecryptionError: if a slot holds more than its fields can hold, because a sum is larger than planned.
    """
    signed = slots.astype(np.int64)
    # Residues above t / 2 are the negative numbers.
    rest = np.where(signed > packing.plain_modulus // 2, signed - packing.plain_modulus, signed)
    half = packing.radix // 2
    fields = np.empty((len(slots), packing.fields, packing.slots), np.int64)
    for field in range(packing.fields):
        # Division to the nearest multiple of the radix leaves the balanced digit.
        above = (rest + half) // packing.radix
        fields[:, field] = rest - above * packing.radix
        rest = above
    # An overflow moves into the next field of the slot unnoticed; only that of the highest field shows here.
    if rest.any():
        raise DecryptionError(
            "a sum is larger than the encryption was planned for, so neighbouring values in its slot are wrong too."
        )
    return fields.reshape(-1)[:num_values]
