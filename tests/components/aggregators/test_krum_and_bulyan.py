"""Rules by the distances between updates."""

import math

import numpy as np
import pytest
from hypothesis import given
from rounds_by_hand import FEW, diameter, noise, poisoned_rounds, slow_krum_scores, value_of

from fedcli.components.aggregators import bulyan, krum, multi_krum

LINE = [[0], [1], [2], [3.5], [100]]


def test_krum_by_hand():
    # Two neighbours count: the scores are 5, 2, 3.25, 8.5 and huge.
    assert value_of(krum(num_byzantine=1), LINE).tolist() == [1]


def test_multi_krum_by_hand():
    assert value_of(multi_krum(num_byzantine=1, num_selected=2), LINE).tolist() == [1.5]
    assert value_of(multi_krum(num_byzantine=1), LINE).tolist() == [1.625]


def test_multi_krum_with_one_selected_is_krum_to_the_bit():
    rows = noise(1, 11, 50)
    one = value_of(multi_krum(num_byzantine=3, num_selected=1), rows)
    assert one.tobytes() == value_of(krum(num_byzantine=3), rows).tobytes()


@pytest.mark.parametrize(("count", "num_byzantine"), [(3, 0), (5, 1), (12, 3), (13, 5)])
def test_krum_and_multi_krum_are_the_papers_formula(count, num_byzantine):
    rows = noise(count, count, 6)
    scores = slow_krum_scores(rows, num_byzantine)
    order = sorted(scores, key=scores.get)
    if count > 3:  # Three clients have one neighbour each, so the two nearest always tie.
        assert value_of(krum(num_byzantine=num_byzantine), rows).tolist() == rows[order[0]].tolist()
    best = rows[order[: count - num_byzantine]].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(value_of(multi_krum(num_byzantine=num_byzantine), rows), best, atol=1e-12)


@pytest.mark.parametrize(("count", "num_byzantine"), [(3, 0), (15, 3), (20, 4)])
def test_bulyan_is_the_papers_formula(count, num_byzantine):
    # Not with f of 1 or 2, whose last choice is by one neighbour, so that the two nearest always tie.
    rows = noise(count + 1, count, 6)
    left, selected = list(range(count)), []
    for _ in range(count - 2 * num_byzantine):
        scores = slow_krum_scores(rows, num_byzantine, left)
        selected.append(min(left, key=scores.get))
        left.remove(selected[-1])
    expected = []
    for values in rows[selected].astype(np.float64).T:
        nearest = sorted(values, key=lambda value: abs(value - np.median(values)))
        expected.append(np.mean(nearest[: count - 4 * num_byzantine]))
    np.testing.assert_allclose(value_of(bulyan(num_byzantine=num_byzantine), rows), expected, atol=1e-12)


def test_bulyan_by_hand():
    # Krum chooses the five small ones; the three nearest to their median, 2, count.
    rows = [[0], [1], [2], [3], [4], [500], [600]]
    assert value_of(bulyan(num_byzantine=1), rows).tolist() == [2]


def test_how_many_clients_each_needs():
    assert krum(num_byzantine=3).min_clients == 9
    assert multi_krum(num_byzantine=3).min_clients == 9
    assert multi_krum(num_byzantine=3, num_selected=20).min_clients == 23
    assert bulyan(num_byzantine=3).min_clients == 15


@FEW
@given(poisoned_rounds(clients=[(4, 1), (5, 2), (9, 3)]))
def test_krum_stays_near_an_honest_update(round):
    honest, poison = round
    n, f = len(honest) + len(poison), len(poison)
    bound = math.sqrt((n - f - 2) / (n - 2 * f - 1)) * diameter(honest)
    value = value_of(krum(num_byzantine=f), [*poison, *honest])
    assert np.linalg.norm(honest - value, axis=1).min() <= bound + 1e-6
    many = value_of(multi_krum(num_byzantine=f), [*poison, *honest])
    # A mean of points each within the bound of an honest one is that near to the honest hull.
    assert np.linalg.norm(honest - many, axis=1).min() <= bound + diameter(honest) + 1e-6


@FEW
@given(poisoned_rounds(clients=[(6, 1), (9, 2)]))
def test_bulyan_stays_within_a_range_of_an_honest_value(round):
    honest, poison = round
    value = value_of(bulyan(num_byzantine=len(poison)), [*poison, *honest])
    low, high = honest.min(axis=0), honest.max(axis=0)
    spread = high.astype(np.float64) - low
    assert (low - spread - 1e-6 <= value).all()
    assert (value <= high + spread + 1e-6).all()


@pytest.mark.parametrize("scale", [1e6, -1e6])
def test_far_away_poison_is_not_chosen(scale):
    honest = noise(2, 9, 20)
    rows = [*np.full((2, 20), scale, np.float32), *honest]
    assert value_of(krum(num_byzantine=2), rows).tolist() in honest.tolist()
    for part in (multi_krum(num_byzantine=2), bulyan(num_byzantine=2)):
        value = value_of(part, rows)
        assert ((honest.min(axis=0) <= value) & (value <= honest.max(axis=0))).all()
