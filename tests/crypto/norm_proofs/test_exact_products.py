"""Matrix products modulo the order against Python's integers."""

import random

import numpy as np
import pytest

from fedcli.crypto.norm_proofs.curve import ORDER
from fedcli.crypto.norm_proofs.exact_products import dot, powers, times

RANDOM = random.Random(3)


def plain(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) % ORDER for row in matrix.tolist()]


@pytest.mark.parametrize("bits", [0, 1, 15, 20, 37, 53, 62])
@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (17, 300)])
def test_the_product_is_exact(bits, shape):
    matrix = np.random.default_rng(bits).integers(-(1 << bits), (1 << bits) + 1, shape)
    vectors = [[RANDOM.randrange(ORDER) for _ in range(shape[1])], [0] * shape[1], [ORDER - 1] * shape[1]]
    assert times(matrix, vectors) == [plain(matrix, vector) for vector in vectors]


def test_the_largest_sums_are_exact():
    matrix = np.array([[1 << 62, -(1 << 62), (1 << 62) - 1] * 100, [-1, 1, -1] * 100])
    vector = [ORDER - 1] * 300
    assert times(matrix, [vector]) == [plain(matrix, vector)]


def test_bits_are_taken_as_numbers():
    assert times(np.array([[1, 0, 1], [0, 1, 0]], np.uint8), [[5, 7, ORDER - 1]]) == [[4, 7]]


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_an_empty_matrix_gives_an_empty_or_a_zero_vector(shape):
    assert times(np.zeros(shape, np.int64), [[1] * shape[1]]) == [[0] * shape[0]]


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\) and vectors of \[2\]"):
        times(np.zeros((2, 3), np.int64), [[1, 2]])


def test_powers_start_anywhere_and_a_dot_is_reduced():
    assert powers(5, -2, 4) == [pow(5, -2, ORDER), pow(5, -1, ORDER), 1, 5]
    assert dot([ORDER - 1, 2], [1, 3]) == 5
