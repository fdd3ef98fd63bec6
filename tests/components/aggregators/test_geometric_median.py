"""The geometric median by the smoothed Weiszfeld algorithm."""

import numpy as np
import pytest
from hypothesis import given
from rounds_by_hand import FEW, noise, poisoned_rounds, value_of

from fedcli.components.aggregators import geometric_median


def weiszfeld(rows, weights, num_iterations, smoothing):
    rows = rows.astype(np.float64)
    point = np.median(rows, axis=0)
    for _ in range(num_iterations):
        pulls = [
            w / max(smoothing, np.linalg.norm(row - point)) for row, w in zip(rows, weights, strict=True)
        ]
        point = sum(pull * row for pull, row in zip(pulls, rows, strict=True)) / sum(pulls)
    return point


@pytest.mark.parametrize("num_iterations", [1, 3, 10])
def test_it_is_the_papers_formula(num_iterations):
    rows, weights = noise(0, 7, 5), [1, 2, 3, 4, 5, 6, 7]
    part = geometric_median(num_iterations=num_iterations, smoothing=0.5)
    np.testing.assert_allclose(
        value_of(part, rows, weights), weiszfeld(rows, weights, num_iterations, 0.5), rtol=1e-12
    )


def test_of_a_convex_quadrilateral_it_is_where_the_diagonals_cross():
    value = value_of(geometric_median(num_iterations=300), [[0, 0], [4, 4], [3, 0], [0, 1]])
    np.testing.assert_allclose(value, [0.75, 0.75], atol=1e-6)


def test_a_client_with_more_than_half_of_the_weight_decides():
    value = value_of(geometric_median(num_iterations=300), [[0, 0], [9, 1], [5, 5]], [3, 1, 1])
    np.testing.assert_allclose(value, [0, 0], atol=1e-4)


def test_scaling_all_weights_changes_no_more_than_rounding():
    rows, weights = noise(1, 6, 4), np.array([1, 2, 3, 4, 5, 6])
    part = geometric_median()
    np.testing.assert_allclose(value_of(part, rows, weights), value_of(part, rows, weights * 30), rtol=1e-13)


def test_without_any_weight_the_model_stays():
    assert value_of(geometric_median(), [[1, 2], [3, 4]], [0, 0]) is None


@FEW
@given(poisoned_rounds(clients=[(2, 1), (3, 2), (8, 2)]))
def test_less_than_half_poisoned_cannot_move_it_past_its_bound(round):
    """No iteration makes the objective worse than at the coordinate-wise median, which bounds the distance."""
    honest, poison = round
    n, f = len(honest) + len(poison), len(poison)
    start = np.median(np.concatenate([honest, poison]).astype(np.float64), axis=0)
    centre = honest.mean(axis=0, dtype=np.float64)
    radius = np.linalg.norm(honest - centre, axis=1).max()
    offset = np.linalg.norm(start - centre)
    bound = ((n - f) * (offset + 2 * radius) + f * offset) / (n - 2 * f)
    for num_iterations in (1, 3, 20):
        value = value_of(geometric_median(num_iterations=num_iterations), [*poison, *honest])
        assert np.linalg.norm(value - centre) <= bound + 1e-3
