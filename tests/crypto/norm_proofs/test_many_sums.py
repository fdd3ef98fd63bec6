"""Many sums of the same points at once equal the sums that the library computes one by one."""

import numpy as np
import pytest
from py_arkworks_bls12381 import G1Point, Scalar

from fedcli.crypto.norm_proofs.curve import combination, identity
from fedcli.crypto.norm_proofs.many_sums import many_sums, subset_sums

POINTS = [G1Point() * Scalar(factor * factor + 3) for factor in range(25)]
LARGE = (1 << 62) - 1


def row(count, **entries):
    """Zeros but for `at_PLACE=entry`."""
    places = {int(name.removeprefix("at_")): entry for name, entry in entries.items()}
    return [places.get(place, 0) for place in range(count)]


@pytest.mark.parametrize(
    "rows",
    [
        [[0]],
        [[5]],
        [[-5]],
        [row(25)] * 2,
        [row(25, at_0=1), row(25, at_24=-1), row(25, at_11=7, at_10=-7)],
        [[1] * 25, [-1] * 25, row(25, at_13=LARGE, at_3=-LARGE)],
        [[-8, -4, 3, 4, 7, 8] * 4, [0, 1, 2, 3, 4, 5] * 4],
        [[LARGE, -LARGE] * 6, [-LARGE] * 12, [LARGE] * 12],
    ],
    ids=["zero", "one", "negative", "zeros", "few", "outliers", "edges", "large"],
)
def test_each_row_is_its_combination_of_the_points(rows):
    points = POINTS[: len(rows[0])]
    sums = many_sums(subset_sums(points), np.array(rows, np.int64))
    assert sums == [combination(points, entries) for entries in rows]


@pytest.mark.parametrize("degrees", [1, 3, 100], ids=["wild", "heavy", "normal"])
def test_entries_of_any_spread_are_summed(degrees):
    matrix = np.rint(100 * np.random.default_rng(degrees).standard_t(degrees, (40, 25))).astype(np.int64)
    sums = many_sums(subset_sums(POINTS), matrix)
    assert sums == [combination(POINTS, entries) for entries in matrix.tolist()]


def test_equal_opposite_and_neutral_points_are_added_too():
    points = [POINTS[1], POINTS[1], -POINTS[1], identity()]
    assert many_sums(subset_sums(points), np.array([[1, 1, 2, 9], [3, 0, 1, -4]])) == [
        identity(),
        combination([POINTS[1]], [2]),
    ]


def test_a_matrix_of_another_width_is_refused():
    with pytest.raises(ValueError, match=r"25 points and a matrix of shape \(1, 24\)"):
        many_sums(subset_sums(POINTS), np.zeros((1, 24), np.int64))
