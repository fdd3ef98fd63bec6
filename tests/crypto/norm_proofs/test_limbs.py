"""Blindings as limbs: the inverse, sums of limbs as sums of blindings, and the size of a vector with its limbs."""

import numpy as np
import pytest

from fedcli.crypto.norm_proofs.curve import ORDER
from fedcli.crypto.norm_proofs.limbs import LARGEST_LIMB, from_limbs, num_limbs, size_before, to_limbs

BLINDINGS = (0, 1, ORDER - 1, 2**255 % ORDER, 123456789)


def test_limbs_are_small_and_come_back():
    limbs = to_limbs(BLINDINGS)
    assert limbs.shape == (16 * 5,)
    assert 0 <= limbs.min() <= limbs.max() <= LARGEST_LIMB
    assert from_limbs(limbs) == BLINDINGS


def test_a_sum_of_limbs_is_a_sum_modulo_the_order():
    total = from_limbs(1000 * to_limbs(BLINDINGS) + to_limbs(BLINDINGS[::-1]))
    expected = [(1000 * one + other) % ORDER for one, other in zip(BLINDINGS, BLINDINGS[::-1], strict=True)]
    assert list(total) == expected
    assert from_limbs(np.zeros(32, np.int64)) == (0, 0)


@pytest.mark.parametrize("size", [1, 3, 4, 5, 16, 17, 20, 21, 25, 26, 9_999, 10_000, 10_001])
def test_the_size_before_the_limbs_is_known(size):
    assert size_before(size + num_limbs(size)) == size
