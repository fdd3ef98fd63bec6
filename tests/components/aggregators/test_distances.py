"""Distances between vectors, without the array of their differences."""

import math

import numpy as np
import pytest

from fedcli.components.aggregators.distances import distance, squared_distances


def test_squared_distances_by_hand():
    vectors = np.array([[0, 0], [3, 4], [0, 1]], np.float32)
    assert squared_distances(list(vectors)).tolist() == [[0, 25, 1], [25, 0, 18], [1, 18, 0]]


def test_squared_distances_are_those_of_the_differences_across_blocks():
    vectors = np.random.default_rng(0).standard_normal((12, 10_001)).astype(np.float32)
    exact = [[math.fsum((np.float64(a) - b) ** 2) for b in vectors] for a in vectors]
    np.testing.assert_allclose(squared_distances(list(vectors)), exact, rtol=1e-11, atol=1e-9)
    point = vectors.mean(axis=0, dtype=np.float64)
    assert distance(vectors[3], point) == pytest.approx(np.linalg.norm(vectors[3] - point), rel=1e-13)


def test_equal_vectors_are_at_distance_zero_even_if_huge():
    vectors = np.array([*[[1e30, 0.1, -1e20]] * 3, [1, 2, 3]], np.float32)
    assert np.count_nonzero(squared_distances(list(vectors))) == 6
