"""`check_cohort` holds for the built-ins and names each broken law."""

import numpy as np
import pytest

from fedcli.components.cohorts import (
    COHORTS,
    capped_poisson,
    full,
    min_separation,
    poisson,
    power_of_choice,
    uniform,
)
from fedcli.core.sampling_scheme import Sampling
from fedcli.testing import check_cohort

MADE = {
    "full": full(),
    "uniform": uniform(size=5),
    "poisson": poisson(rate=0.3),
    "capped-poisson": capped_poisson(rate=0.9, cap=5),
    "min-separation": min_separation(separation=5),
    "power-of-choice": power_of_choice(size=3, candidates=5),
}


def test_every_built_in_is_tested_here():
    assert MADE.keys() == COHORTS.keys()


@pytest.mark.parametrize("name", MADE)
def test_the_built_ins_keep_the_laws(name):
    check_cohort(MADE[name])


THREE, CHOOSING = uniform(size=3), power_of_choice(size=3, candidates=5)


def unseeded():
    """Draws from a generator of its own, whatever it is given."""
    own = np.random.default_rng(7)
    return THREE._replace(sample=lambda _rng, population, _state: np.sort(own.choice(population, 3)))


def counting(_reports, state):
    state["rounds"] += 1
    return state


def of(clients, dtype=np.int64):
    return THREE._replace(sample=lambda _rng, _population, _state: np.array(clients, dtype))


BROKEN = {
    "has a name": THREE._replace(name=""),
    "its planned size lies": THREE._replace(expected_size=lambda _population: 0.0),
    "draw the same clients": unseeded(),
    "a vector of int64": of([0, 1, 2], np.float64),
    "in ascending order": of([2, 1, 0]),
    "distinct numbers of the 12 clients": of([0, 1, 12]),
    "from 3 to 3 clients": of([0, 1]),
    "for which no accountant is valid": CHOOSING._replace(
        sampling=lambda population: Sampling("fixed", population, size=3)
    ),
    "its separation is 1": CHOOSING._replace(separation=2),
    "can be written without pickle": THREE._replace(init=lambda _examples: {"thing": object()}),
    "leaves the state that it is given unchanged": CHOOSING._replace(
        init=lambda examples: {**CHOOSING.init(examples), "rounds": np.zeros(1)}, observe=counting
    ),
}


@pytest.mark.parametrize("words", BROKEN)
def test_a_broken_law_is_named(words):
    with pytest.raises(AssertionError, match=words):
        check_cohort(BROKEN[words])
