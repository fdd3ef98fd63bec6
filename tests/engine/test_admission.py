"""The server's desk: who is let in, and what is written down."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import LinearFederation, LinearRuntime, linear_parts

from fedcli.components.strategies import STRATEGIES
from fedcli.core.errors import RunInterrupted
from fedcli.core.rounds import Assignment, Broadcast, Rejection, RoundContext
from fedcli.engine import arrival_checks
from fedcli.engine.admission import Arrivals
from fedcli.engine.turns import Turn, Turnout


def desk(outcomes_of, *, name="weighted", statistics=None, watch=lambda _done, _planned: None, num_clients=3):
    """An `Arrivals` and the outcomes of clients 0, 1, 2 after `outcomes_of` has had its way with them."""
    federation = LinearFederation(num_clients)
    runtime = LinearRuntime(federation, by_examples=name == "weighted", statistics=statistics)
    parts, state = linear_parts(
        STRATEGIES[name](), federation=federation, runtime=runtime, num_statistics=2 if statistics else 0
    )
    start = Broadcast(4, state.weights, state.statistics, 1.0)
    updates = [runtime.train(start, Assignment(k, {})) for k in range(num_clients)]
    present = Turnout([Turn(k, 3) for k in range(num_clients)])
    arrivals = Arrivals(parts, state, RoundContext(7, 4, False), present, watch)
    return arrivals, outcomes_of(updates)


def as_they_are(updates):
    return updates


def test_accepted_updates_pass_in_order_and_untouched():
    arrivals, updates = desk(as_they_are)
    assert list(arrivals.accepted(updates)) == updates


def test_a_row_says_what_a_client_did():
    arrivals, updates = desk(as_they_are)
    list(arrivals.accepted(updates))
    assert arrivals.rows[1] == {
        "round": 4,
        "client": 1,
        "examples": 5,
        "weight": 5.0,
        "train/loss": updates[1].metrics["loss"],
        "bytes_up": 12,
        "seconds": 0.5,
    }


def test_a_rejection_is_a_row_with_a_reason_and_nothing_else():
    arrivals, outcomes = desk(lambda updates: [updates[0], Rejection(1, "why"), updates[2]])
    assert [update.client for update in arrivals.accepted(outcomes)] == [0, 2]
    assert arrivals.rows[1] == {"round": 4, "client": 1, "reason": "why"}
    assert arrivals.summary()["bytes_up"] == 24


def test_arrivals_stream():
    def endless(updates):
        yield from updates
        raise AssertionError("more was asked for than was needed")

    arrivals, outcomes = desk(endless)
    accepted = arrivals.accepted(outcomes)
    assert [next(accepted).client for _ in range(3)] == [0, 1, 2]


def test_an_empty_round_has_a_summary():
    arrivals, _ = desk(as_they_are)
    assert list(arrivals.accepted([])) == []
    summary = arrivals.summary()
    assert (summary["examples"], summary["clients/finished"], summary["bytes_up"]) == (0, 0, 0)
    assert not any(name.startswith("train/") for name in summary)


def test_statistics_are_the_weighted_mean_of_the_accepted():
    arrivals, outcomes = desk(
        lambda updates: [updates[0], Rejection(1, "why"), updates[2]],
        statistics=lambda _start, client: np.array([client, 1], np.float32),
    )
    list(arrivals.accepted(outcomes))
    assert arrivals.statistics() == pytest.approx([(0 * 4 + 2 * 6) / 10, 1.0])


def test_statistics_of_another_shape_are_refused():
    arrivals, outcomes = desk(
        lambda updates: [updates[0], replace(updates[1], statistics=np.ones(3, np.float32)), updates[2]],
        statistics=lambda _start, client: np.array([client, 1], np.float32),
    )
    assert [update.client for update in arrivals.accepted(outcomes)] == [0, 2]
    assert arrivals.rows[1]["reason"] == "the non-trainable weights have shape [3]; the model has [2]"


def test_nobody_sends_statistics_and_there_is_no_mean():
    arrivals, outcomes = desk(as_they_are)
    list(arrivals.accepted(outcomes))
    assert arrivals.statistics() is None


@pytest.mark.parametrize("at", [0, 2])
def test_the_watch_can_end_the_round(at):
    def watch(done, _planned):
        if done == at:
            raise RunInterrupted("stop")

    arrivals, outcomes = desk(as_they_are, watch=watch)
    with pytest.raises(RunInterrupted):
        list(arrivals.accepted(outcomes))
    assert len(arrivals.rows) <= at


def test_the_values_of_an_update_of_float32_are_gone_through_once_for_its_size(monkeypatch):
    measured = []

    def largest_value(vector):
        measured.append(vector.dtype)
        return float(abs(vector).max())

    monkeypatch.setattr(arrival_checks, "largest_value", largest_value)
    arrivals, outcomes = desk(as_they_are)
    assert len(list(arrivals.accepted(outcomes))) == 3
    assert measured == [np.float32] * 3
