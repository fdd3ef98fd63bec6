"""Packing of integers in slots: known answers, the inverse, and sums of slots as sums of integers."""

import numpy as np
import pytest

from fedcli.core.errors import ConfigError
from fedcli.crypto.bfv.errors import DecryptionError
from fedcli.crypto.bfv.packing import Packing, pack, unpack

SMALL = Packing(slots=4, fields=2, radix=7, plain_modulus=97, largest_value=3)


def test_known_slots():
    # f_0 + 7 f_1 modulo 97: 1 - 7 = 91, 2 + 14, -3 + 21, 0.
    slots = pack(np.array([1, 2, -3, 0, -1, 2, 3]), SMALL)
    assert (slots.dtype, slots.tolist()) == (np.uint64, [[91, 16, 18, 0]])


def test_values_go_on_in_the_next_ciphertext():
    slots = pack(np.array([0] * 8 + [-3]), SMALL)
    assert slots.tolist() == [[0, 0, 0, 0], [94, 0, 0, 0]]
    assert [SMALL.num_ciphertexts(size) for size in (0, 1, 8, 9, 16, 17)] == [0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize("size", [1, 7, 8, 9, 100])
@pytest.mark.parametrize("fields", [1, 2, 3])
def test_unpacking_is_the_inverse_at_every_value(size, fields):
    packing = SMALL._replace(fields=fields, plain_modulus=353)
    values = np.resize(np.arange(-3, 4), size)
    assert np.array_equal(unpack(pack(values, packing), packing, size), values)


def test_slots_add_up_as_integers_do():
    packing = Packing(slots=4, fields=2, radix=2 * 30 + 1, plain_modulus=3727, largest_value=10)
    parties = [
        np.array([10, -10, 3, 0, -10, 10, 10]),
        np.array([10, -10, -4, 0, -10, 10, 9]),
        np.array([10, -10, 1, 0, -10, 10, 8]),
    ]
    total = sum(pack(values, packing) for values in parties) % np.uint64(packing.plain_modulus)
    assert unpack(total, packing, 7).tolist() == [30, -30, 0, 0, -30, 30, 27]


@pytest.mark.parametrize("value", [4, -4, 2**62, np.iinfo(np.int64).min])
def test_a_value_beyond_the_plan_is_refused(value):
    with pytest.raises(ConfigError, match="beyond 3"):
        pack(np.array([0, value]), SMALL)


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros((2, 2), np.int64), np.zeros(3, np.int32)])
def test_what_is_no_vector_of_integers_is_refused(values):
    with pytest.raises(ConfigError, match="shape"):
        pack(values, SMALL)


def test_a_slot_that_holds_more_than_its_fields_is_reported():
    with pytest.raises(DecryptionError, match="larger than the encryption was planned for"):
        unpack(np.array([[25, 0, 0, 0]], np.uint64), SMALL, 8)
