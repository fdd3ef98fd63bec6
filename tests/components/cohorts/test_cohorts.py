"""Who takes part: sorted, distinct, of the promised size or law, and from the generator only."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fedcli.components.cohorts import (
    COHORTS,
    capped_poisson,
    full,
    min_separation,
    poisson,
    power_of_choice,
    uniform,
    whose_turn,
)
from fedcli.core.errors import ConfigError
from fedcli.core.sampling_scheme import Sampling
from fedcli.core.seeds import SERVER, generator


def rng(seed=7):
    return generator(seed, 1, SERVER, "cohort")


MADE = {
    "full": full(),
    "uniform": uniform(size=5),
    "poisson": poisson(rate=0.3),
    "capped-poisson": capped_poisson(rate=0.3, cap=5),
    "min-separation": min_separation(separation=3, rate=0.3),
    "power-of-choice": power_of_choice(size=3, candidates=5),
}


def drawn(name, population, by):
    """The cohort of the first round, of clients with 1, 2, 3, ... examples."""
    cohort = MADE[name]
    return cohort.sample(by, population, cohort.init(np.arange(population) + 1))


def test_every_built_in_is_tested_here():
    assert MADE.keys() == COHORTS.keys()


@pytest.mark.parametrize("name", MADE)
@given(population=st.integers(5, 300), seed=st.integers(0, 2**32))
def test_clients_are_sorted_distinct_numbers_of_the_population(name, population, seed):
    clients = drawn(name, population, rng(seed))
    assert clients.dtype == np.int64
    assert (np.diff(clients) > 0).all()
    assert not len(clients) or 0 <= clients[0] <= clients[-1] < population


@pytest.mark.parametrize("name", MADE)
def test_a_cohort_is_a_function_of_the_generator(name):
    first, again = (drawn(name, 40, rng()).tolist() for _ in range(2))
    assert first == again
    assert MADE[name].name == name


@pytest.mark.parametrize("name", ["uniform", "poisson", "capped-poisson", "power-of-choice"])
def test_other_rounds_draw_other_cohorts(name):
    draws = {tuple(drawn(name, 1000, generator(7, round, SERVER, "cohort"))) for round in range(10)}
    assert len(draws) == 10


def test_full_is_everybody():
    assert full().sample(rng(), 4, {}).tolist() == [0, 1, 2, 3]
    assert full().expected_size(4) == 4
    assert full().sampling(4) == Sampling("full", 4, size=4)


@pytest.mark.parametrize("size", [1, 3, 10])
def test_uniform_has_its_size(size):
    cohort = uniform(size=size)
    assert len(cohort.sample(rng(), 10, {})) == size == cohort.expected_size(10)
    assert cohort.sampling(10) == Sampling("fixed", 10, size=size)


def test_uniform_gives_every_client_the_same_chance():
    draws = rng()
    counts = np.bincount(
        np.concatenate([uniform(size=3).sample(draws, 10, {}) for _ in range(4000)]), minlength=10
    )
    assert np.abs(counts - 1200).max() < 5 * math.sqrt(4000 * 0.3 * 0.7)


def test_poisson_has_the_mean_and_the_variance_of_independent_coins():
    draws, population, rate, rounds = rng(), 200, 0.1, 4000
    sizes = np.array([len(poisson(rate=rate).sample(draws, population, {})) for _ in range(rounds)])
    variance = population * rate * (1 - rate)
    assert abs(sizes.mean() - population * rate) < 5 * math.sqrt(variance / rounds)
    assert abs(sizes.var() - variance) < 5 * variance * math.sqrt(2 / rounds)


def test_poisson_gives_every_client_its_coin_and_pairs_are_independent():
    draws, rounds = rng(), 6000
    drawn = np.zeros((rounds, 6), bool)
    for row in drawn:
        row[poisson(rate=0.4).sample(draws, 6, {})] = True
    assert np.abs(drawn.mean(axis=0) - 0.4).max() < 5 * math.sqrt(0.24 / rounds)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(6)).max() < 5 / math.sqrt(rounds)


def test_poisson_may_draw_nobody_and_at_rate_one_draws_everybody():
    assert any(not len(poisson(rate=0.1).sample(rng(seed), 5, {})) for seed in range(20))
    assert poisson(rate=1.0).sample(rng(), 5, {}).tolist() == [0, 1, 2, 3, 4]


def test_poisson_plans_with_the_expected_size_and_not_with_the_realised_one():
    cohort = poisson(rate=0.1)
    assert cohort.expected_size(25) == 2.5
    assert cohort.sampling(25) == Sampling("poisson", 25, rate=0.1)


def test_capped_poisson_has_the_law_of_coins_below_its_cap_and_never_more():
    draws, population, rate, cap, rounds = rng(), 50, 0.1, 6, 4000
    sizes = np.bincount(
        [len(capped_poisson(rate=rate, cap=cap).sample(draws, population, {})) for _ in range(rounds)]
    )
    below = stats.binom.pmf(np.arange(cap), population, rate)
    expected = np.array([*below, 1 - below.sum()])
    assert len(sizes) == cap + 1
    assert stats.chisquare(sizes, rounds * expected).pvalue > 1e-4


def test_a_binding_cap_leaves_every_client_the_same_chance():
    draws, cohort = rng(), capped_poisson(rate=0.9, cap=3)
    counts = np.bincount(np.concatenate([cohort.sample(draws, 10, {}) for _ in range(4000)]), minlength=10)
    assert np.abs(counts - 1200).max() < 5 * math.sqrt(4000 * 0.3 * 0.7)


def test_capped_poisson_plans_with_constants_of_the_config():
    cohort = capped_poisson(rate=0.1, cap=4)
    assert (cohort.expected_size(25), cohort.expected_size(100)) == (2.5, 4)
    assert cohort.sampling(25) == Sampling("capped-poisson", 25, rate=0.1, cap=4)
    with pytest.raises(ConfigError, match="a cohort of 4 clients needs at least as many") as caught:
        cohort.sampling(3)
    assert caught.value.key == "cap"


def test_a_cap_of_nobody_is_refused():
    with pytest.raises(ConfigError, match="received 0") as caught:
        capped_poisson(rate=0.1, cap=0)
    assert caught.value.key == "cap"


def test_a_million_clients_are_no_burden():
    # A coin for each client would draw a million numbers; the generator is asked for a few hundred at most.
    counting = rng()
    clients = poisson(rate=1e-5).sample(counting, 1_000_000, {})
    assert len(clients) < 40
    assert counting.bit_generator.state["state"]["counter"][0] < 250
    sizes = [len(poisson(rate=1e-5).sample(rng(seed), 1_000_000, {})) for seed in range(400)]
    assert abs(np.mean(sizes) - 10) < 5 * math.sqrt(10 / 400)


def test_a_cohort_larger_than_the_population_is_refused_with_the_way_out():
    for ask in (uniform(size=11).expected_size, uniform(size=11).sampling):
        with pytest.raises(ConfigError, match="a cohort of 11 clients needs at least as many") as caught:
            ask(10)
        assert caught.value.key == "size"
        assert "at most 10" in caught.value.hint


@pytest.mark.parametrize("size", [0, -1])
def test_a_cohort_of_nobody_is_refused(size):
    with pytest.raises(ConfigError, match=f"received {size}") as caught:
        uniform(size=size)
    assert caught.value.key == "size"


@pytest.mark.parametrize("rate", [0, -0.1, 1.01, math.nan, math.inf])
def test_a_rate_that_is_no_probability_is_refused(rate):
    with pytest.raises(ConfigError, match=r"lies in \(0, 1\]; received") as caught:
        capped_poisson(rate=rate, cap=3)
    assert caught.value.key == "rate"
    with pytest.raises(ConfigError, match=r"lies in \(0, 1\]; received") as caught:
        poisson(rate=rate)
    assert caught.value.key == "rate"


@pytest.mark.parametrize(("separation", "clients"), [(1, 5), (3, 10), (4, 4)])
def test_groups_take_turns_so_that_everybody_waits_the_separation(separation, clients):
    cohort = min_separation(separation=separation)
    turns = [
        whose_turn(cohort, t, num_clients=clients, root=7).tolist() for t in range(1, 2 * separation + 1)
    ]
    assert sorted(client for group in turns[:separation] for client in group) == list(range(clients))
    assert turns[:separation] == turns[separation:]
    sizes = [len(group) for group in turns]
    assert max(sizes) - min(sizes) <= 1
    assert all(group == sorted(group) for group in turns)


def test_the_seed_deals_out_the_groups():
    cohort = min_separation(separation=4)
    groups = {tuple(whose_turn(cohort, 1, num_clients=40, root=root)) for root in range(10)}
    assert len(groups) == 10


def test_without_a_rate_all_whose_turn_it_is_take_part_and_with_one_each_by_a_coin():
    assert min_separation(separation=4).sample(rng(), 10, {}).tolist() == list(range(10))
    cohort = min_separation(separation=4, rate=0.5)
    assert cohort.expected_size(40) == 5
    assert cohort.sampling(40) == Sampling("min-separation", 40, rate=0.5, separation=4)
    sizes = [len(cohort.sample(rng(seed), 10, {})) for seed in range(400)]
    assert np.mean(sizes) == pytest.approx(5, abs=4 * math.sqrt(2.5 / 400))


def test_cohorts_without_separation_draw_from_everybody():
    assert whose_turn(poisson(rate=0.1), 3, num_clients=5, root=7).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("parameters", "key"), [({"separation": 0}, "separation"), ({"separation": 2, "rate": 0.0}, "rate")]
)
def test_a_separation_without_meaning_is_refused(parameters, key):
    with pytest.raises(ConfigError, match="received") as caught:
        min_separation(**parameters)
    assert caught.value.key == key


def test_more_groups_than_clients_are_refused():
    with pytest.raises(ConfigError, match="at least one client") as caught:
        min_separation(separation=11).sampling(10)
    assert caught.value.key == "separation"
