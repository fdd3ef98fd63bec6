"""Rules that filter updates by what they look like at random coordinates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rounds_by_hand import FEW, noise, poisoned_rounds, updates_of, value_of, vectors
from sklearn.cluster import MeanShift

from fedcli.components.aggregators import dnc, sign_guard
from fedcli.components.aggregators.coordinate_sampling import sample, stream
from fedcli.components.aggregators.dnc import outlier_scores
from fedcli.components.aggregators.mean_shift import bandwidth_of, largest_cluster


def positive(seed, count, size=200):
    """Updates with nine positive values in ten, of about the same norm."""
    rng = np.random.default_rng(seed)
    signs = np.where(rng.random((count, size)) < 0.9, 1, -1)
    return (signs * rng.uniform(0.5, 1.5, (count, size))).astype(np.float32)


def clipped_mean(rows, limit):
    norms = np.linalg.norm(rows.astype(np.float64), axis=1)
    return (rows * np.minimum(1, limit / norms)[:, None]).mean(axis=0)


@pytest.mark.parametrize("num_flipped", [0, 1, 4])
def test_flipped_signs_are_filtered_out_and_the_rest_is_clipped_to_the_median_norm(num_flipped):
    honest, flipped = positive(0, 10), -positive(1, num_flipped)
    rows = np.concatenate([flipped, honest])
    median = np.median(np.linalg.norm(rows.astype(np.float64), axis=1))
    value = value_of(sign_guard(coordinate_share=1.0), rows)
    kept = honest
    if not num_flipped:
        features = [[(row > 0).mean(), (row == 0).mean(), (row < 0).mean()] for row in rows]
        kept = rows[largest_cluster(np.array(features), bandwidth_of(np.array(features)))]
    np.testing.assert_allclose(value, clipped_mean(kept, median), rtol=1e-6)


@pytest.mark.parametrize("factor", [0.01, 0.0, 30.0, 1e20])
def test_norms_far_from_the_median_are_filtered_out(factor):
    honest = np.tile(positive(2, 1), (8, 1))
    rows = np.concatenate([honest[:2] * np.float32(factor), honest])
    np.testing.assert_allclose(value_of(sign_guard(), rows), honest[0], rtol=1e-6)


def test_when_nobody_passes_both_filters_the_model_stays():
    # The largest cluster by signs has the norms 1, 1 and 1000 around a median of 30.
    rows = np.array([[1, 0], [1, 0], [1000, 0], [-30, 0], [-30, 0]])
    part = sign_guard(coordinate_share=1.0)
    aggregate, state = part.aggregate(updates_of(rows), 2, part.init(2))
    assert (aggregate.weight, aggregate.value.tolist()) == (0, [0, 0])
    assert state["draws"] == 1


@FEW
@given(poisoned_rounds(clients=[(2, 1), (3, 2), (8, 2)]))
def test_sign_guard_is_never_longer_than_the_longest_honest_update(round):
    honest, poison = round
    value = value_of(sign_guard(coordinate_share=1.0), [*poison, *honest])
    longest = np.linalg.norm(honest.astype(np.float64), axis=1).max()
    assert value is None or np.linalg.norm(value) <= longest + 1e-6


@pytest.mark.parametrize("seed", range(8))
def test_mean_shift_is_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    groups = [rng.normal(centre, 0.05, (size, 3)) for centre, size in ((0.2, 9), (0.5, 14), (0.9, 6))]
    points = np.concatenate(groups)
    found = MeanShift(bandwidth=0.2, cluster_all=False).fit(points).labels_
    assert (
        largest_cluster(points, 0.2).tolist() == (found == np.bincount(found[found >= 0]).argmax()).tolist()
    )


def test_mean_shift_of_equal_points_is_one_cluster():
    points = np.full((7, 3), 0.1)
    assert bandwidth_of(points) == 0
    assert largest_cluster(points, 0.0).all()
    assert largest_cluster(points[:1], bandwidth_of(points[:1])).all()


def slow_dnc(rows, num_dropped, draws, num_coordinates, seed=0, number=1):
    rows, rng = rows.astype(np.float64), stream(seed, number, "dnc")
    kept = set(range(len(rows)))
    for _ in range(draws):
        some = rows[:, sample(rng, num_coordinates, rows.shape[1])]
        centred = some - some.mean(axis=0)
        direction = np.linalg.svd(centred)[2][0]
        scores = (centred @ direction) ** 2
        kept &= set(np.argsort(scores)[: len(rows) - num_dropped])
    return rows[sorted(kept)].mean(axis=0)


@pytest.mark.parametrize(("num_byzantine", "draws", "fraction", "dropped"), [(2, 1, 1.0, 2), (3, 4, 0.5, 2)])
def test_dnc_is_the_papers_formula(num_byzantine, draws, fraction, dropped):
    rows = noise(3, 12, 30)
    part = dnc(
        num_byzantine=num_byzantine,
        num_iterations=draws,
        num_coordinates=10,
        filter_fraction=fraction,
        seed=5,
    )
    np.testing.assert_allclose(value_of(part, rows), slow_dnc(rows, dropped, draws, 10, seed=5), atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_outlier_scores_are_those_of_the_singular_vector(seed):
    rows = noise(seed, 15, 40)
    centred = rows - rows.mean(axis=0, dtype=np.float64)
    left = np.linalg.svd(centred)[0][:, 0]
    np.testing.assert_allclose(outlier_scores(rows), left**2, atol=1e-9)


def test_dnc_by_hand():
    # The updates differ most along the first coordinate, where 10 sticks out of 0, 1, 2.
    rows = [[0, 0.1], [1, 0], [2, 0], [10, 0.1]]
    np.testing.assert_allclose(value_of(dnc(num_byzantine=1), rows), [1, 0.1 / 3], rtol=1e-6)


def test_filters_that_leave_nobody_leave_the_model():
    # Each coordinate singles out another client, so enough draws of one coordinate drop all three.
    rows = np.diag([9.0, 9.0, 9.0])
    assert value_of(dnc(num_byzantine=1, num_coordinates=1, num_iterations=40), rows) is None


@FEW
@given(
    vectors(7),
    vectors(1, values=st.sampled_from([1e6, -1e6])),
    st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_colluding_poison_in_one_direction_cannot_move_dnc_past_the_honest_range(honest, direction, flips):
    poison = [direction[0] * (-1 if flip else 1) for flip in flips]
    value = value_of(dnc(num_byzantine=3), [*poison, *honest])
    assert (honest.min(axis=0) - 1e-6 <= value).all()
    assert (value <= honest.max(axis=0) + 1e-6).all()


def test_how_many_clients_dnc_needs():
    assert dnc(num_byzantine=3).min_clients == 7
    assert dnc(num_byzantine=3, filter_fraction=2.5).min_clients == 9
    assert dnc(num_byzantine=0).min_clients == 1


@pytest.mark.parametrize(
    "factory", [sign_guard, lambda seed: dnc(num_byzantine=1, num_coordinates=5, seed=seed)]
)
def test_coordinates_depend_on_the_seed_and_the_round_only(factory):
    rows = noise(4, 8, 60)

    def three_rounds(seed):
        part = factory(seed=seed)
        state, values = part.init(60), []
        for _ in range(3):
            aggregate, state = part.aggregate(updates_of(rows), 60, state)
            values.append(aggregate.value.tobytes())
        return values

    assert three_rounds(1) == three_rounds(1)
    assert three_rounds(1) != three_rounds(2)
    assert len(set(three_rounds(1))) > 1


def test_a_sample_has_different_coordinates_in_order_and_all_where_there_are_no_more():
    some = sample(stream(0, 1, "test"), 30, 100)
    assert len(set(some.tolist())) == 30
    assert some.tolist() == sorted(some)
    assert sample(stream(0, 1, "test"), 100, 100).tolist() == list(range(100))
