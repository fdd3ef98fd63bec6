"""`check_aggregator` names each law that a rule breaks; every rule here breaks one law only."""

import numpy as np
import pytest

from fedcli.core.contracts import Aggregator
from fedcli.core.rounds import Aggregate
from fedcli.testing import check_aggregator


def rule(aggregate, *, init=lambda _size: {}, name="own", accepts=("vector",), min_clients=1):
    return Aggregator(name, init, aggregate, accepts, is_sum=False, min_clients=min_clients)


def rows_of(updates, size):
    return np.array([update.payload for update in updates], np.float64).reshape(-1, size)


def mean_rows(rows, size):
    return Aggregate(rows.mean(axis=0), 1.0) if len(rows) else Aggregate(np.zeros(size), 0.0)


def mean(updates, size, state):
    return mean_rows(rows_of(updates, size), size), state


def counted(updates, size, state):
    aggregate, _ = mean(updates, size, state)
    return aggregate, {"rounds": state["rounds"] + 1}


def eager_mean(updates, size, state):
    return Aggregate(rows_of(updates, size).sum(axis=0), 1.0), state


def of_the_first(updates, size, state):
    return mean_rows(rows_of(updates, size)[:1], size), state


def by_number(updates, size, state):
    kept = sorted(updates, key=lambda update: update.client)
    return mean_rows(rows_of(kept[:1] if kept and kept[0].client else kept, size), size), state


def scaling(updates, size, state):
    updates = list(updates)
    for update in updates:
        update.payload[:] *= np.float32(2)
    return mean(updates, size, state)


def drifting(updates, size, state):
    aggregate, _ = mean(updates, size, state)
    state["rounds"] += aggregate.weight
    return aggregate, state


def only_lists(updates, size, state):
    twice = 2.0 if isinstance(updates, list) else 1.0
    aggregate, _ = mean(updates, size, state)
    return aggregate._replace(value=twice * aggregate.value), state


def narrow(updates, size, state):
    aggregate, _ = mean(updates, size, state)
    return aggregate._replace(value=aggregate.value.astype(np.float16)), state


def matrix(updates, size, state):
    aggregate, _ = mean(updates, size, state)
    value = aggregate.value[None] if aggregate.weight else aggregate.value
    return aggregate._replace(value=value), state


def in_float32(updates, size, state):
    rows = rows_of(updates, size).astype(np.float32)
    doubled = np.float32(2) * rows.max(axis=0, keepdims=True) if len(rows) else rows
    return mean_rows(doubled / np.float32(2), size), state


def signs(updates, size, state):
    rows = rows_of(updates, size)
    return mean_rows(np.sign(rows.sum(axis=0, keepdims=True)) if len(rows) else rows, size), state


def by_thirds(updates, size, state):
    # A third of a float32 fills a float64, so that the order of the sum shows in its last bit.
    aggregate = mean_rows(rows_of(updates, size) / 3, size)
    return aggregate._replace(value=3 * aggregate.value), state


def forgetful():
    """Keeps what it counts outside its state."""
    calls = []

    def aggregate(updates, size, state):
        calls.append(0)
        aggregate, _ = mean(updates, size, state)
        return aggregate._replace(value=aggregate.value * len(calls)), state

    return aggregate


NO_ROUNDS = {"init": lambda _size: {"rounds": np.zeros(())}}

BROKEN = {
    "an aggregator has a name": rule(mean, name=""),
    "this check gives vectors; it accepts ciphertext": rule(mean, accepts=("ciphertext",)),
    "min_clients is at least 1; it is 0": rule(mean, min_clients=0),
    "without updates the aggregate is zeros": rule(eager_mean),
    "without updates its state stays": rule(counted, **NO_ROUNDS),
    "with fewer updates than its min_clients, 3": rule(mean, min_clients=3),
    "updates, its min_clients, are enough": rule(
        lambda _u, size, state: (Aggregate(np.zeros(size), 0.0), state)
    ),
    "a list and a stream": rule(only_lists),
    "an aggregate is float32 or float64": rule(narrow),
    "an aggregate has the shape of an update": rule(matrix),
    "leaves the updates that it is given": rule(scaling),
    "leaves the state that it is given": rule(drifting, **NO_ROUNDS),
    "a permutation of the clients": rule(of_the_first),
    "the numbers of the clients change no bit": rule(by_number),
    "without pickle, but history is an object": rule(mean, init=lambda _size: {"history": object()}),
    "finite updates of any size": rule(in_float32),
    "equal updates give that update": rule(signs),
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_broken_law_is_named(said):
    with np.errstate(all="ignore"), pytest.raises(AssertionError, match=said):
        check_aggregator(BROKEN[said])


def test_a_mean_keeps_the_laws_and_its_rounding_is_not_exact():
    check_aggregator(rule(by_thirds))
    with pytest.raises(AssertionError, match="changes no bit"):
        check_aggregator(rule(by_thirds), exact_order=True)


def test_a_sign_vote_keeps_all_laws_but_one():
    check_aggregator(rule(signs), unanimous=False)


def test_a_rule_that_remembers_outside_its_state_is_found_out():
    with pytest.raises(AssertionError, match="own: "):
        check_aggregator(rule(forgetful()))
