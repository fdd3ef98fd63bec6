"""The loss of a sampled Gaussian release is the one of dp-accounting, made by operations on arrays."""

import tracemalloc

import pytest
from dp_accounting import NeighboringRelation
from dp_accounting.pld import privacy_loss_distribution as pld

from fedcli.core.privacy_events import GaussianEvent
from fedcli.core.sampling_scheme import Sampling
from fedcli.privacy.central import central
from fedcli.privacy.composition import interval
from fedcli.privacy.sampled_gaussian import sampled_gaussian

RELATIONS = {
    "zero-out": NeighboringRelation.REPLACE_SPECIAL,
    "add-remove": NeighboringRelation.ADD_OR_REMOVE_ONE,
    "replace-one": NeighboringRelation.REPLACE_ONE,
}


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize(
    ("multiplier", "rate"), [(0.5, 0.2), (0.05, 0.5), (3.0, 0.01), (20.0, 0.9), (2.0, 1.0)]
)
def test_it_is_the_library_s(relation, multiplier, rate):
    step = 10 * interval(multiplier, rate)
    expected = pld.from_gaussian_mechanism(
        multiplier,
        sampling_prob=rate,
        value_discretization_interval=step,
        neighboring_relation=RELATIONS[relation],
    )
    made = sampled_gaussian(multiplier, rate, relation, interval=step)
    for count, delta in ((1, 1e-5), (10, 1e-9)):
        composed = [each.self_compose(count) if count > 1 else each for each in (made, expected)]
        epsilons = [each.get_epsilon_for_delta(delta) for each in composed]
        assert epsilons[0] == pytest.approx(epsilons[1], rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("count", [1, 100, 1000])
def test_few_releases_have_the_grid_of_one(count):
    assert interval(1.0, 0.2, count) == interval(1.0, 0.2)


def test_the_grid_of_many_releases_is_far_finer_than_the_loss():
    # Of 100,000 releases with little noise, the grid of one would have a hundred million points.
    step = interval(0.001, 0.2, 100_000)
    deviation = 0.5 / 0.001**2 * (0.2 * 0.8) ** 0.5
    assert interval(0.001, 0.2) < step < deviation / 10


@pytest.mark.parametrize(
    "sampling", [Sampling("poisson", 100, rate=0.2), Sampling("capped-poisson", 100, rate=0.2, cap=40)]
)
def test_the_rounds_of_a_run_share_one_distribution(sampling):
    loss = central(GaussianEvent(2.0, 1.0), sampling)[0].once.loss
    assert loss(2.0, "add-remove", 1) is loss(2.0, "add-remove", 2)


@pytest.mark.parametrize(("multiplier", "relation"), [(0.5, "add-remove"), (0.45, "replace-one")])
def test_a_rare_sample_has_a_bounded_number_of_points_and_no_object_for_each(multiplier, relation):
    # Ten of a million clients: a million points in Python objects took 600 MB, and each round a second.
    rate = 1e-5
    step = interval(multiplier, rate, 100)
    tracemalloc.start()
    made = sampled_gaussian(multiplier, rate, relation, interval=step)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    points = made._pmf_remove.size
    assert 200_000 < points < 700_000
    assert peak < 160 * points
