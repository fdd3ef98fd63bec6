"""Rules by the order of each coordinate's values."""

import numpy as np
import pytest
from hypothesis import given
from rounds_by_hand import FEW, noise, poisoned_rounds, value_of
from scipy import stats

from fedcli.components.aggregators import median, trimmed_mean


def test_the_median_of_an_odd_number_is_the_middle_value():
    assert value_of(median(), [[1, 5], [9, 4], [2, -6]]).tolist() == [2, 4]


def test_the_median_of_an_even_number_is_the_mean_of_the_two_middle_values():
    assert value_of(median(), [[1], [9], [2], [5]]).tolist() == [3.5]


@pytest.mark.parametrize("count", [2, 9, 30])
def test_the_median_is_numpys_across_blocks_of_columns(count):
    rows = noise(count, count, 10_000)
    assert np.array_equal(value_of(median(), rows), np.median(rows.astype(np.float64), axis=0))


def test_the_middle_of_two_huge_values_does_not_overflow():
    largest = float(np.finfo(np.float32).max)
    assert value_of(median(), [[largest], [largest]]).tolist() == [largest]


def test_the_trimmed_mean_drops_both_ends():
    assert value_of(trimmed_mean(trim=0.2), [[1], [100], [3], [2], [-50]]).tolist() == [2]


@pytest.mark.parametrize(("trim", "count"), [(0.1, 10), (0.1, 19), (0.3, 10), (0.49, 101)])
def test_the_trimmed_mean_is_scipys(trim, count):
    rows = noise(count, count, 5000)
    expected = stats.trim_mean(rows.astype(np.float64), trim, axis=0)
    np.testing.assert_allclose(value_of(trimmed_mean(trim=trim), rows), expected, rtol=1e-12, atol=1e-14)


def test_the_number_that_is_dropped_survives_float_products():
    # 0.29 * 100 is 28.999999999999996.
    values = [0.0] * 71 + [1.0] * 29
    assert value_of(trimmed_mean(trim=0.29), np.array(values)[:, None]).tolist() == [0]


@pytest.mark.parametrize(
    ("trim", "needed"), [(0.1, 10), (0.3, 4), (0.49, 3), (1 / 3, 3), (1e-320, 2**63 - 1)]
)
def test_too_few_clients_to_drop_one_leave_the_model(trim, needed):
    assert trimmed_mean(trim=trim).min_clients == needed
    assert value_of(trimmed_mean(trim=trim), [[0], [9]]) is None


@FEW
@given(poisoned_rounds(clients=[(2, 1), (3, 2), (8, 2), (11, 10)]))
def test_less_than_half_poisoned_cannot_move_a_coordinate_past_the_honest_range(round):
    honest, poison = round
    trim = len(poison) / (len(honest) + len(poison))
    for part in (median(), trimmed_mean(trim=trim)):
        value = value_of(part, [*poison, *honest])
        assert (honest.min(axis=0) <= value).all()
        assert (value <= honest.max(axis=0)).all()


def test_one_poisoned_client_too_many_moves_them():
    rows = [[0.0], [0.0], [1e6], [1e6], [1e6]]
    assert value_of(median(), rows).tolist() == [1e6]
    assert value_of(trimmed_mean(trim=0.2), rows)[0] > 1e5
