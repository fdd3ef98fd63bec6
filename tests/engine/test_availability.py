"""From a cohort to who comes through."""

from collections import Counter

import numpy as np
import pytest
import tiny
from fakes import LinearFederation, LinearRuntime, linear_parts

from fedcli.components.clients.runtime.batches import BatchPlan
from fedcli.components.devices import Device, Devices
from fedcli.components.strategies import STRATEGIES
from fedcli.config import ConfigErrors
from fedcli.core.rounds import Assignment, Broadcast
from fedcli.engine.availability import seconds_needed, turnout
from fedcli.engine.round import run_round
from fedcli.engine.setup import Participation
from fedcli.testing.changes import changed

# Four clients of 4, 5, 6 and 7 examples; three weights of 4 bytes each way.
SLOW_TRAINING = Devices("slow", lambda _rng: Device(1.0, 12.0, 6.0))


def of(participation=None, *, devices=None, batches=None, num_clients=4, strategy="mean"):
    parts, state = linear_parts(STRATEGIES[strategy](), federation=LinearFederation(num_clients))
    changes = {"participation": participation or Participation(), "devices": devices}
    return changed(parts, batches=batches or BatchPlan(1, 1, None), **changes), state


def turns(participation=None, round=1, **arguments):
    parts, _ = of(participation, **arguments)
    return turnout(parts, round, range(parts.num_clients))


def test_without_settings_everyone_does_all_of_its_work():
    present = turns()
    assert [(t.client, t.model, t.steps, t.seconds, t.absence) for t in present.turns] == [
        (k, 0, None, None, None) for k in range(4)
    ]
    assert present.seconds is None


def test_a_duration_is_download_training_and_upload():
    parts, _ = of(devices=SLOW_TRAINING)
    # 12 bytes at 6 a second, 4 examples at 1 a second, 12 bytes at 12 a second.
    assert seconds_needed(parts, 1, 0) == 2 + 4 + 1
    assert seconds_needed(parts, 1, 3) == 2 + 7 + 1
    assert seconds_needed(parts, 1, 0, steps=1) == 2 + 1 + 1


def test_delays_stretch_a_participation_and_differ_by_round():
    delayed = Devices("delayed", SLOW_TRAINING.draw, lambda rng: float(rng.integers(1, 100)))
    parts, _ = of(devices=delayed)
    durations = {seconds_needed(parts, round, 0) for round in range(20)}
    assert len(durations) > 10
    assert all(seconds % 7 == 0 for seconds in durations)


def test_a_round_lasts_until_the_slowest_update():
    assert turns(devices=SLOW_TRAINING).seconds == 10


def test_dropouts_have_their_probability_and_are_noticed_when_they_were_due():
    lost = Counter()
    for round in range(1, 301):
        present = turns(Participation(dropout=0.25), round, devices=SLOW_TRAINING)
        lost.update(turn.client for turn in present.turns if turn.absence == "dropped out")
        assert present.seconds == 10
    assert all(45 <= lost[client] <= 105 for client in range(4))


def test_an_exact_share_straggles_with_whole_epochs():
    settings = Participation(stragglers=0.5, keeps_partial_work=True)
    seen = set()
    for round in range(1, 60):
        slow = [t for t in turns(settings, round, batches=BatchPlan(2, 3, None)).turns if t.steps is not None]
        assert len(slow) == 2
        assert all(turn.absence is None for turn in slow)
        seen |= {(turn.client, turn.steps) for turn in slow}
    # Clients of 4 and 5 examples have 2 and 3 batches an epoch.
    assert {steps for client, steps in seen if client == 0} == {2, 4, 6}
    assert {steps for client, steps in seen if client == 1} == {3, 6, 9}


def test_one_epoch_is_cut_within():
    settings = Participation(stragglers=1.0, keeps_partial_work=True)
    seen = {turns(settings, round).turns[0].steps for round in range(1, 60)}
    assert seen == {1, 2, 3, 4}


def test_unfinished_work_is_dropped_unless_the_strategy_keeps_it():
    absent = [turn for turn in turns(Participation(stragglers=0.5)).turns if turn.absence]
    assert len(absent) == 2
    assert all("batches, not in time" in turn.absence for turn in absent)


def test_who_is_late_is_not_waited_for():
    present = turns(Participation(deadline=8.5), devices=SLOW_TRAINING)
    assert [turn.absence for turn in present.turns] == [
        None,
        None,
        "late: it needs 9 s, the deadline is 8.5 s",
        "late: it needs 10 s, the deadline is 8.5 s",
    ]
    assert present.seconds == 8.5


def test_partial_work_fills_the_time_until_the_deadline():
    present = turns(Participation(deadline=8.5, keeps_partial_work=True), devices=SLOW_TRAINING)
    assert [(turn.steps, turn.seconds, turn.absence) for turn in present.turns] == [
        (None, 7, None),
        (None, 8, None),
        (5, 8, None),
        (5, 8, None),
    ]


def test_who_cannot_do_a_single_batch_in_time_is_late_all_the_same():
    present = turns(Participation(deadline=3.0, keeps_partial_work=True), devices=SLOW_TRAINING)
    assert all(turn.absence.startswith("late") for turn in present.turns)
    assert present.seconds == 3


def test_over_selection_ends_with_the_first_updates():
    present = turns(Participation(wait_for=2, deadline=100.0), devices=SLOW_TRAINING)
    assert [turn.absence is None for turn in present.turns] == [True, True, False, False]
    assert present.turns[2].absence == "slower than the first 2, which the server waits for"
    assert present.seconds == 8


def test_too_few_updates_make_the_server_wait_for_its_deadline():
    settings = Participation(wait_for=4, deadline=9.5)
    assert turns(settings, devices=SLOW_TRAINING).seconds == 9.5


def test_who_does_not_come_through_is_not_trained_and_is_written_down():
    parts, state = of(Participation(deadline=8.5), devices=SLOW_TRAINING)
    parts.world.federation.asked.clear()
    after, record, rows = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
    assert sorted(set(parts.world.federation.asked)) == [0, 1]
    assert (record["clients/finished"], record["clients/absent"], record["clients/rejected"]) == (2, 2, 0)
    assert record["bytes_up"] == 24
    assert record["bytes_down"] == 48
    assert record["simulated/round_seconds"] == record["simulated/seconds"] == after.seconds == 8.5
    assert rows[0]["simulated_seconds"] == 7
    assert rows[3]["reason"].startswith("late")


def test_a_cohort_without_clients_takes_no_time():
    parts, _ = of(Participation(deadline=5.0), devices=SLOW_TRAINING)
    assert turnout(parts, 1, []).seconds == 0


def test_simulated_seconds_add_up_over_rounds():
    parts, state = of(devices=SLOW_TRAINING)
    for _ in range(3):
        state, record, _ = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
    assert record["simulated/seconds"] == 30


def test_a_round_in_which_nobody_comes_through_leaves_the_model():
    parts, state = of(Participation(deadline=1.0), devices=SLOW_TRAINING)
    after, record, _ = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
    assert after.weights.tobytes() == state.weights.tobytes()
    assert record["clients/finished"] == 0
    assert "model unchanged" in record["note"]


class Watched:
    """A runtime that remembers what each client's training gave."""

    def __init__(self, runtime):
        self._runtime, self.payloads = runtime, {}

    def __getattr__(self, name):
        return getattr(self._runtime, name)

    def train(self, start, assignment):
        update = self._runtime.train(start, assignment)
        self.payloads[assignment.client] = update.payload.tobytes()
        return update


def test_a_client_trains_as_many_batches_as_it_is_given():
    settings = ["participation.stragglers=1.0", "client.epochs=3"]
    with tiny.assembled("strategy=fedprox", *settings) as (parts, state):
        watched = Watched(parts.clients.side.runtime)
        _, _, rows = run_round(
            changed(parts, runtime=watched), state, lambda _round: None, lambda _done, _planned: None
        )
        start = parts.clients.side.runtime.prepare(Broadcast(1, state.weights, state.statistics, 1.0))

        def trained(client, steps):
            return parts.clients.side.runtime.train(start, Assignment(client, {}, steps)).payload.tobytes()

        given = {row["client"]: row["steps"] for row in rows}
        assert watched.payloads == {client: trained(client, steps) for client, steps in given.items()}
        # 12 training examples make 3 batches of 5 an epoch; somebody does not finish all of them.
        assert set(given.values()) <= {3, 6, 9}
        early = next(client for client, steps in given.items() if steps < 9)
        assert watched.payloads[early] != trained(early, None)


def test_all_of_the_steps_as_a_limit_change_no_bit():
    def update(steps):
        with tiny.assembled() as (parts, state):
            start = parts.clients.side.runtime.prepare(Broadcast(1, state.weights, state.statistics, 1.0))
            return parts.clients.side.runtime.train(start, Assignment(0, {}, steps)).payload

    assert update(3).tobytes() == update(None).tobytes() == update(99).tobytes()
    assert update(1).tobytes() != update(3).tobytes()


@pytest.mark.parametrize(
    ("overrides", "place", "words"),
    [
        (["participation.deadline=3.0"], "devices", "needs a simulated clock"),
        (["participation.wait_for=2"], "devices", "needs a simulated clock"),
        (["devices=lognormal", "participation.wait_for=9"], "participation.wait_for", "of a cohort of 4"),
        (["devices=lognormal", "participation.wait_for=1", *tiny.PRIVATE], "wait_for", "not a random sample"),
        (["participation.dropout=1.0"], "participation.dropout", "below 1"),
        (["devices={name: lognormal, upload: 0.0}"], "devices.upload", "above 0"),
        (["strategy=fedbuff"], "devices", "needs a simulated clock"),
        (
            ["participation.stragglers=0.5", *tiny.PRIVATE],
            "participation.stragglers",
            "clip does not bound",
        ),
        (["attack={name: alie, share: 0.5}"], "attack", "would send the honest mean"),
        (["attack={name: ipm, share: 0.5}", *tiny.PRIVATE], "attack", "epsilon would be false"),
    ],
)
def test_what_has_no_meaning_is_refused(overrides, place, words):
    with pytest.raises(ConfigErrors) as caught:
        tiny.plan(*overrides)
    assert place in str(caught.value)
    assert words in str(caught.value)


def test_lost_clients_do_not_change_the_divisor_of_a_private_round():
    strategy = STRATEGIES["dp-clipped"](clip_norm=1.0, noise_multiplier=0.0, delta=1e-5)
    federation = LinearFederation(4)
    runtime = LinearRuntime(federation, payloads={k: [1.0, 0.0, 0.0] for k in range(4)})
    parts, state = linear_parts(strategy, federation=federation, runtime=runtime)
    lossy = changed(parts, devices=SLOW_TRAINING, participation=Participation(deadline=8.5))
    after, _, _ = run_round(
        changed(lossy, batches=BatchPlan(1, 1, None)),
        state,
        lambda _round: None,
        lambda _done, _planned: None,
    )
    np.testing.assert_allclose(after.weights - state.weights, [0.5, 0, 0], rtol=1e-6)
