"""Asynchronous rounds: who is at work, whose update comes when, and from which model it started."""

from dataclasses import replace

import numpy as np
import pytest
import tiny
from fakes import LinearFederation, LinearRuntime, linear_parts

from fedcli.components.clients.runtime.batches import BatchPlan
from fedcli.components.cohorts import uniform
from fedcli.components.devices import Device, Devices
from fedcli.components.strategies import STRATEGIES
from fedcli.config import ConfigErrors
from fedcli.core.trees import from_table, to_table
from fedcli.engine.asynchronous import _Work, flush
from fedcli.engine.round import run_round
from fedcli.engine.selection import attend
from fedcli.engine.setup import Participation
from fedcli.testing.changes import changed

# One second an example, and bytes take no time: client k has 4 + k examples and takes 4 + k seconds.
BY_EXAMPLES = Devices("by examples", lambda _rng: Device(1.0, 1e30, 1e30))


def of(size, *, at_work, num_clients, exponent=0.5, payloads=None, max_staleness=None, **participation):
    strategy = STRATEGIES["fedbuff"](
        buffer_size=size, staleness_exponent=exponent, max_staleness=max_staleness
    )
    federation = LinearFederation(num_clients)
    runtime = LinearRuntime(federation, payloads=payloads)
    parts, state = linear_parts(
        strategy, federation=federation, runtime=runtime, cohort=uniform(size=at_work)
    )
    return (
        changed(
            parts,
            devices=BY_EXAMPLES,
            batches=BatchPlan(1, 1, None),
            participation=Participation(**participation),
        ),
        state,
    )


def run(parts, state, rounds):
    presents, records = [], []
    for _ in range(rounds):
        presents.append(attend(parts, state))
        state, record, _ = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
        records.append(record)
    return state, presents, records


def seen(present):
    return [(turn.client, turn.model, turn.staleness, turn.seconds) for turn in present.turns]


def test_a_place_is_taken_without_a_list_of_all_that_are(monkeypatch):
    # Of 20,000 clients at work the lists took a second each round, of 100,000 half a minute.
    lists = []
    listed = _Work.flights.fget
    monkeypatch.setattr(_Work, "flights", property(lambda work: lists.append(1) or listed(work)))
    parts, state = of(5, at_work=40, num_clients=100)
    assert len(flush(parts, state, 1).turns) == 5
    assert len(lists) == 1


def test_everyone_at_work_by_hand():
    # Clients 0, 1, 2 take 4, 5 and 6 seconds, and two updates fill the buffer.
    _, presents, records = run(*of(2, at_work=3, num_clients=3), 3)
    # At 5 s clients 0 and 1 are in and begin again; client 2, begun with them, comes at 6 s and begins again.
    assert seen(presents[0]) == [(0, 0, 0, 4), (1, 0, 0, 5)]
    assert seen(presents[1]) == [(2, 0, 1, 6), (0, 1, 0, 4)]
    # Client 1, begun at 5 s, comes at 10 s and client 2, begun at 6 s, at 12 s; both from the model of 5 s.
    assert seen(presents[2]) == [(1, 1, 1, 5), (2, 1, 1, 6)]
    assert [record["simulated/seconds"] for record in records] == [5, 9, 12]
    assert [record["staleness/mean"] for record in records] == [0, 0.5, 1]


def test_one_client_at_work_and_a_buffer_of_one_is_sequential_training():
    parts, state = of(1, at_work=1, num_clients=3)
    final, presents, _ = run(parts, state, 6)
    assert [turn.staleness for present in presents for turn in present.turns] == [0] * 6
    weights = state.weights
    alike, _ = linear_parts(STRATEGIES["mean"](), federation=LinearFederation(3))
    for present in presents:
        start = replace(state, weights=weights)
        alone = changed(
            alike,
            cohort=uniform(size=1)._replace(sample=lambda _rng, _n, _state, t=present: [t.turns[0].client]),
        )
        weights = run_round(alone, start, lambda _round: None, lambda _done, _planned: None)[0].weights
    assert final.weights.tobytes() == weights.tobytes()


def test_a_second_update_of_a_client_waits_for_the_next_round():
    # Client 0 takes 4 s and clients 8 and 9 of ten take 12 and 13 s: all at work, nine updates fill the buffer.
    parts, state = of(9, at_work=10, num_clients=10)
    _, presents, _ = run(parts, state, 12)
    for present in presents:
        clients = [turn.client for turn in present.turns]
        assert len(set(clients)) == len(clients) == 9
    began = [(turn.client, turn.model) for present in presents for turn in present.turns]
    assert len(set(began)) == len(began)
    assert all(present.seconds >= 0 for present in presents)


def test_nearly_everyone_stays_at_work_where_all_are():
    parts, state = of(5, at_work=20, num_clients=20)
    for _ in range(20):
        present = attend(parts, state)
        state, _, _ = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
        assert len(present.underway["client"]) >= 15


def test_old_updates_count_less_and_the_mean_is_over_their_number():
    payloads = {0: [1.0, 0.0, 0.0], 1: [0.0, 1.0, 0.0], 2: [0.0, 0.0, 1.0]}
    parts, state = of(2, at_work=3, num_clients=3, payloads=payloads)
    first, _, _ = run(parts, state, 1)
    np.testing.assert_allclose(first.weights - state.weights, [0.5, 0.5, 0.0], rtol=1e-6)
    second, _, _ = run(parts, first, 1)
    np.testing.assert_allclose(second.weights - first.weights, [0.5, 0.0, 0.5 * 2**-0.5], rtol=1e-6)


def test_a_client_trains_from_the_model_that_it_received():
    parts, state = of(2, at_work=3, num_clients=3)
    first, _, _ = run(parts, state, 1)
    parts.clients.side.runtime.starts.clear()
    run(parts, first, 1)
    old, new = parts.clients.side.runtime.starts[:2]
    assert old.weights.tobytes() == state.weights.tobytes()
    assert new.weights.tobytes() == first.weights.tobytes()


def test_models_are_kept_as_long_as_somebody_works_on_them():
    state, presents, _ = run(*of(2, at_work=6, num_clients=30), 12)
    assert set(state.underway["models"]) == {str(model) for model in state.underway["model"]}
    # The place of the last arrival is filled when the next round begins, from its model.
    assert len(state.underway["client"]) == 5
    assert min(turn.model for turn in presents[-1].turns) > 0


def test_models_that_only_stale_updates_would_need_are_not_kept():
    # Client 29 takes 33 s, and one update of 4 to 9 s fills the buffer: its model grows old.
    free, state = of(1, at_work=30, num_clients=30)
    bounded, _ = of(1, at_work=30, num_clients=30, max_staleness=2)
    kept = {False: 0, True: 0}
    for parts, is_bounded in ((free, False), (bounded, True)):
        after = state
        for _ in range(40):
            present = attend(parts, after)
            after, _, rows = run_round(parts, after, lambda _round: None, lambda _done, _planned: None)
            kept[is_bounded] = max(kept[is_bounded], len(after.underway["models"]))
            for turn, row in zip(present.turns, rows, strict=True):
                if is_bounded:
                    assert (turn.staleness > 2) == row.get("reason", "").startswith("stale: ")
                else:
                    assert "reason" not in row
            assert sum("reason" not in row for row in rows) == 1
    buffer = bounded.strategy.buffer
    assert kept[True] == buffer.most_models(at_work=30, rounds=40) == 2
    assert 2 < kept[False] <= free.strategy.buffer.most_models(at_work=30, rounds=40) == 30


def test_a_staleness_that_is_never_reached_changes_nothing():
    one, _, _ = run(*of(2, at_work=5, num_clients=12), 6)
    other, _, _ = run(*of(2, at_work=5, num_clients=12, max_staleness=6), 6)
    assert one.weights.tobytes() == other.weights.tobytes()


def test_the_number_of_models_kept_is_bounded_by_clients_rounds_and_staleness():
    def most(at_work, rounds, max_staleness):
        buffer = STRATEGIES["fedbuff"](max_staleness=max_staleness).buffer
        return buffer.most_models(at_work=at_work, rounds=rounds)

    assert (most(7, 50, None), most(70, 50, None), most(70, 50, 20), most(70, 50, 0)) == (7, 50, 20, 0)


def test_more_models_than_are_supported_are_refused_with_their_number():
    overrides = ["strategy={name: fedbuff, buffer_size: 2}", "devices=lognormal", "rounds=300"]
    large = [*overrides, "data={name: 'user_parts:many', clients: 500}", "cohort={name: uniform, size: 101}"]
    with pytest.raises(ConfigErrors, match="here up to 101, in memory and in each checkpoint; at most 100"):
        tiny.plan(*large)
    assert tiny.plan(*large, "strategy.max_staleness=20").protocol.strategy.buffer.max_staleness == 20
    assert tiny.plan(*large, "cohort.size=100").world.cohort.expected_size(500) == 100


def test_the_number_at_work_is_constant_and_nobody_works_twice():
    parts, state = of(3, at_work=5, num_clients=20, dropout=0.2)
    for _ in range(20):
        present = flush(parts, state, state.round + 1)
        clients = [turn.client for turn in present.turns]
        assert len(set(clients)) == len(clients)
        assert sum(turn.absence is None for turn in present.turns) == 3
        under = present.underway["client"].tolist()
        assert len(set(under)) == len(under) == 4
        assert all(np.diff(present.underway["arrives"]) >= 0)
        state, _, _ = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)


def test_replacements_are_drawn_evenly():
    _, presents, _ = run(*of(5, at_work=5, num_clients=10), 200)
    counts = np.bincount([turn.client for present in presents for turn in present.turns], minlength=10)
    # Client 9 works three times as long as client 0, so that it comes less often, but nobody is left out.
    assert counts.sum() == 1000
    assert counts.min() > 50


def test_with_all_in_the_buffer_it_is_the_synchronous_mean():
    parts, state = of(4, at_work=4, num_clients=4)
    alike, start = linear_parts(STRATEGIES["mean"](), federation=LinearFederation(4))
    for _ in range(3):
        state, _, _ = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
        start, _, _ = run_round(alike, start, lambda _round: None, lambda _done, _planned: None)
    np.testing.assert_allclose(state.weights, start.weights, rtol=1e-6)
    assert state.seconds == 21


def test_a_buffer_that_nobody_can_fill_is_flushed_as_it_is():
    _, presents, records = run(*of(3, at_work=3, num_clients=3, dropout=0.9), 8)
    assert all(len(present.turns) == 3 for present in presents)
    assert min(record["clients/finished"] for record in records) < 3


def test_a_stop_between_rounds_changes_nothing():
    parts, state = of(2, at_work=5, num_clients=12, dropout=0.1)
    whole, _, _ = run(parts, state, 6)
    half, _, _ = run(parts, state, 3)
    stored = from_table(to_table({"underway": half.underway}))["underway"]
    resumed, _, _ = run(parts, replace(half, underway=stored), 3)
    assert resumed.weights.tobytes() == whole.weights.tobytes()
    assert resumed.seconds == whole.seconds


def test_rows_say_how_old_an_update_is():
    parts, state = of(2, at_work=3, num_clients=3)
    first, _, _ = run(parts, state, 1)
    _, _, rows = run_round(parts, first, lambda _round: None, lambda _done, _planned: None)
    assert [(row["client"], row["staleness"], row["weight"]) for row in rows] == [
        (2, 1, 2**-0.5),
        (0, 0, 1.0),
    ]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["strategy={name: fedbuff, buffer_size: 9}"], "needs at least as many clients at work"),
        (["strategy={name: fedbuff, buffer_size: 0}"], "at least 1 update"),
        (["strategy={name: fedbuff, staleness_exponent: -1.0}"], "at least 0"),
        (["strategy={name: fedbuff, max_staleness: -1}"], "at least 0; received -1"),
        (["strategy=fedbuff", "cohort={name: poisson, rate: 0.5}"], "a fixed number of clients at work"),
        (["strategy={name: 'user_parts:buffered', base: dp-clipped}"], "not a random sample"),
        (["strategy={name: 'user_parts:buffered', base: scaffold}"], "with an older model"),
        (
            ["strategy={name: fedbuff, buffer_size: 2}", "participation.stragglers=0.5"],
            "participation.stragglers",
        ),
        (
            ["strategy={name: fedbuff, buffer_size: 2}", "participation.deadline=5.0"],
            "participation.deadline",
        ),
    ],
)
def test_what_has_no_meaning_is_refused(overrides, words):
    with pytest.raises(ConfigErrors) as caught:
        tiny.plan("devices=lognormal", *overrides)
    assert words in str(caught.value)
