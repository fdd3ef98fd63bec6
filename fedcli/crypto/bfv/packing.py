"""Signed integers, several in a slot of a ciphertext, so that slots add up as the integers do."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError
from fedcli.crypto.bfv.errors import DecryptionError
from fedcli.crypto.bfv.seal import Words

Integers = npt.NDArray[np.int64]


class Packing(NamedTuple):
    """How integers lie in slots: the coefficients of plaintexts, since sums need no products of slots.

    A slot with the fields f_0, f_1, ... holds f_0 + radix f_1 + radix^2 f_2 + ... modulo t. The digits are balanced,
    |f| <= (radix - 1) / 2, so that a sum needs no offset and an absent summand counts as zeros.

    Args:
        slots: of one ciphertext.
        fields: integers in a slot.
        radix: odd; above twice the largest sum.
        plain_modulus: t, above radix^fields.
        largest_value: of one summand, as an absolute value.
    """

    slots: int
    fields: int
    radix: int
    plain_modulus: int
    largest_value: int

    def num_ciphertexts(self, num_values: int) -> int:
        """How many ciphertexts hold that many integers."""
        return -(-num_values // (self.slots * self.fields))


def pack(values: Integers, packing: Packing) -> Words:
    """Integers, shape [P], as slots modulo t, shape [ciphertexts, N]; what is left over is filled with zeros.

    Raises:
        ConfigError: if a value is no integer or beyond `largest_value`.
    """
    if values.ndim != 1 or values.dtype != np.int64:
        raise ConfigError(
            f"integers of shape [P] are packed; received {values.dtype} of shape {values.shape}."
        )
    # Not np.abs, which leaves the smallest int64 negative.
    if values.size and max(int(values.max()), -int(values.min())) > packing.largest_value:
        raise ConfigError(
            f"a value to be encrypted is beyond {packing.largest_value}, for which the encryption was planned.",
            hint="Clip the values, or plan with more bits.",
        )
    padded = np.zeros((packing.num_ciphertexts(values.size), packing.fields, packing.slots), np.int64)
    padded.reshape(-1)[: values.size] = values
    slots = padded[:, -1].copy()
    for field in range(packing.fields - 2, -1, -1):
        slots = slots * packing.radix + padded[:, field]
    return np.where(slots < 0, slots + packing.plain_modulus, slots).astype(np.uint64)


def unpack(slots: Words, packing: Packing, num_values: int) -> Integers:
    """The inverse of `pack`, also for sums: slots, shape [ciphertexts, N], as integers, shape [P].

    Raises:
        DecryptionError: if a slot holds more than its fields can, so that a sum was larger than planned.
    """
    signed = slots.astype(np.int64)
    rest = np.where(signed > packing.plain_modulus // 2, signed - packing.plain_modulus, signed)
    half = packing.radix // 2
    fields = np.empty((len(slots), packing.fields, packing.slots), np.int64)
    for field in range(packing.fields):
        # The nearest multiple of the radix: what is left is the balanced digit.
        above = (rest + half) // packing.radix
        fields[:, field] = rest - above * packing.radix
        rest = above
    if rest.any():
        raise DecryptionError(
            "a sum is larger than the encryption was planned for; its neighbours are spoiled."
        )
    return fields.reshape(-1)[:num_values]
