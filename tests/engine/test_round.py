"""The story of a round and of an experiment, told with parts small enough to be computed by hand."""

import re
import traceback
from dataclasses import replace

import numpy as np
import pytest
from built_ins import REQUIRED
from fakes import SIZE, LinearFederation, LinearRuntime, MemoryStore, counting_accountant, linear_parts
from hooked import hooks_of
from hypothesis import given
from hypothesis import strategies as st

from fedcli.components.callbacks.callback import Callback
from fedcli.components.cohorts import poisson, uniform
from fedcli.components.strategies import STRATEGIES
from fedcli.components.transforms import clip
from fedcli.core.averages import mean_model
from fedcli.core.errors import ClientError, InvalidUpdateError, RunInterrupted
from fedcli.core.rounds import RoundContext, RoundState
from fedcli.core.transform import Transform
from fedcli.engine import adversary, evaluation, loop, selection
from fedcli.engine.admission import Arrivals
from fedcli.engine.ports import Observer
from fedcli.engine.round import client_work, run_round
from fedcli.engine.selection import attend
from fedcli.engine.setup import EvaluationSettings, Participation
from fedcli.testing.changes import changed

QUIET = Observer()
NAN = [np.nan, 0.0, 0.0]
TOO_SHORT = [1.0]


def private(clip_norm=1.0, noise_multiplier=0.0, epsilon=None, **changes):
    strategy = STRATEGIES["dp-clipped"](
        clip_norm=clip_norm, noise_multiplier=noise_multiplier, delta=1e-5, epsilon=epsilon
    )
    return linear_parts(strategy, **changes)


def plain(name="mean", payloads=None, num_clients=5, **changes):
    federation = LinearFederation(num_clients)
    strategy = STRATEGIES[name](**REQUIRED[name])
    runtime = LinearRuntime(federation, payloads=payloads, by_examples=strategy.weighting == "examples")
    return linear_parts(strategy, federation=federation, runtime=runtime, **changes)


def one_round(parts, state, charge=lambda _round: None, watch=lambda _done, _planned: None):
    return run_round(parts, state, charge, watch)


def run(parts, state, store=None, observer=QUIET):
    store = store or MemoryStore()
    state, reason = loop.run_experiment(parts, state, store, observer, hooks_of(parts))
    return state, reason, store


def untimed(record):
    return {name: value for name, value in record.items() if not name.startswith("seconds/")}


# --- a round ---------------------------------------------------------------------------------------------


def test_a_round_of_literal_updates_is_their_mean():
    parts, state = plain(payloads={k: float(k) for k in range(5)})
    after, record, rows = one_round(parts, state)
    assert after.weights.tolist() == [2.0] * SIZE
    assert (after.round, after.releases) == (1, 0)
    assert [row["client"] for row in rows] == [0, 1, 2, 3, 4]
    assert record["clients/planned"] == record["clients/finished"] == 5


def test_a_weighted_round_counts_clients_by_their_examples():
    parts, state = plain("weighted", payloads={k: float(k) for k in range(5)})
    after, _, _ = one_round(parts, state)
    expected = np.average(range(5), weights=[4, 5, 6, 7, 8])
    assert after.weights == pytest.approx([expected] * SIZE)


def test_rounds_learn():
    parts, state = plain("weighted", rounds=60)
    state, _, store = run(parts, state)
    assert state.weights == pytest.approx([1, -2, 3], abs=0.05)
    assert store.records[-1]["test/loss"] < store.records[0]["test/loss"] / 100


def test_a_record_counts_clients_examples_and_bytes():
    parts, state = plain(payloads={1: NAN, 3: [1.0]})
    _, record, rows = one_round(parts, state)
    assert {name: record[name] for name in record if name.startswith("clients/")} == {
        "clients/planned": 5,
        "clients/finished": 3,
        "clients/rejected": 2,
    }
    assert record["examples"] == 4 + 6 + 8
    assert record["bytes_down"] == 5 * 4 * SIZE
    assert record["bytes_up"] == 5 * 4 * SIZE
    accepted = [row for row in rows if "reason" not in row]
    losses = [row["train/loss"] for row in accepted]
    assert record["train/loss"] == pytest.approx(np.average(losses, weights=[4, 6, 8]))
    assert {f"seconds/{name}" for name in ("train", "aggregate", "evaluate", "total")} <= set(record)


def test_the_watch_is_told_of_every_client():
    told = []
    parts, state = plain(payloads={2: NAN})
    one_round(parts, state, watch=lambda *seen: told.append(seen))
    assert told == [(done, 5) for done in range(6)]


def test_nobody_mutates_the_state_it_was_given():
    for name in STRATEGIES:
        if name.startswith("dp-") or STRATEGIES[name](**REQUIRED[name]).trainer.sends:
            continue
        parts, state = plain(name)
        state, _, _ = one_round(parts, state)
        before = state.weights.copy(), {k: np.copy(v) for k, v in state.server.items()}
        one_round(parts, state)
        assert np.array_equal(state.weights, before[0])
        assert all(np.array_equal(state.server[k], before[1][k]) for k in state.server)


def test_a_client_sees_the_broadcast_of_its_round():
    parts, state = plain(schedule=lambda round, rounds: round / rounds)
    state, _, _ = run(parts, state)
    starts = [start for start in parts.clients.side.runtime.starts if start.round > 0]
    trained = starts[::2]  # every second broadcast is evaluation's
    assert [(start.round, start.learning_rate_scale) for start in trained] == [
        (1, 1 / 3),
        (2, 2 / 3),
        (3, 1.0),
    ]


def test_clients_keep_their_own_state_between_participations():
    federation = LinearFederation(4)
    counting = LinearRuntime(
        federation, state=lambda _round, _client, old: {"n": np.int64(old.get("n", 0) + 1)}
    )
    parts, state = linear_parts(
        STRATEGIES["mean"](), federation=federation, runtime=counting, cohort=uniform(size=2), rounds=6
    )
    state, _, store = run(parts, state)
    taken = [row["client"] for row in store.clients]
    assert {k: int(v["n"]) for k, v in state.clients.items()} == {k: taken.count(k) for k in set(taken)}


def test_a_rejected_client_keeps_its_former_state():
    federation = LinearFederation(2)
    runtime = LinearRuntime(
        federation, payloads={0: NAN}, state=lambda round, _client, _old: {"n": np.int64(round)}
    )
    parts, state = linear_parts(STRATEGIES["mean"](), federation=federation, runtime=runtime)
    after, _, _ = one_round(parts, state)
    assert set(after.clients) == {1}


# --- what must not enter ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (NAN, "NaN or infinite"),
        ([np.inf, 0, 0], "NaN or infinite"),
        ([-np.inf, np.inf, 0], "NaN or infinite"),
        ([1.0, 2.0], r"shape [2]; the model has [3]"),
        ([[1.0, 2.0, 3.0]], r"shape [1, 3]"),
        ([], "shape [0]"),
    ],
)
def test_an_invalid_update_is_rejected_recorded_and_the_round_goes_on(payload, reason):
    parts, state = plain(payloads={0: 1.0, 1: payload, 2: 3.0}, num_clients=3)
    after, record, rows = one_round(parts, state)
    assert after.weights.tolist() == [2.0] * SIZE
    assert record["clients/rejected"] == 1
    (rejected,) = (row for row in rows if "reason" in row)
    assert (rejected["round"], rejected["client"]) == (1, 1)
    assert reason in rejected["reason"]


def test_huge_finite_updates_are_valid():
    parts, state = plain(payloads={k: [3e38, 3e38, 3e38] for k in range(3)}, num_clients=3)
    after, record, _ = one_round(parts, state)
    assert record["clients/rejected"] == 0
    assert np.isfinite(after.weights).all()


def test_non_trainable_weights_with_nan_are_rejected():
    federation = LinearFederation(2)
    runtime = LinearRuntime(
        federation, statistics=lambda _start, client: np.array([np.nan if client == 0 else 4.0], np.float32)
    )
    parts, state = linear_parts(
        STRATEGIES["mean"](), federation=federation, runtime=runtime, num_statistics=1
    )
    after, _, rows = one_round(parts, state)
    assert "non-trainable" in rows[0]["reason"]
    assert after.statistics.tolist() == [4.0]


def test_an_update_that_a_client_cannot_make_is_a_rejection():
    class Empty(LinearRuntime):
        def train(self, start, assignment):
            if assignment.client == 1:
                raise InvalidUpdateError("the client has no training examples")
            return super().train(start, assignment)

    federation = LinearFederation(3)
    parts, state = linear_parts(STRATEGIES["mean"](), federation=federation, runtime=Empty(federation))
    _, record, rows = one_round(parts, state)
    assert record["clients/rejected"] == 1
    assert rows[1] == {"round": 1, "client": 1, "reason": "the client has no training examples"}


def with_broken(clients, **changes):
    class Broken(LinearRuntime):
        def train(self, start, assignment):
            if assignment.client in clients:
                raise ZeroDivisionError("no data")
            return super().train(start, assignment)

    federation = LinearFederation(3)
    return linear_parts(STRATEGIES["mean"](), federation=federation, runtime=Broken(federation), **changes)


def test_a_client_that_fails_is_rejected_with_its_line_and_the_record_says_so():
    parts, state = with_broken({1})
    after, record, rows = one_round(parts, state)
    said = r"the client algorithm sgd failed: ZeroDivisionError: no data; tests/engine/test_round.py:\d+, in train: "
    assert re.match(said, rows[1]["reason"])
    assert record["note"] == f"failed: client 1: {rows[1]['reason']}"
    assert [record[f"clients/{each}"] for each in ("planned", "finished", "rejected")] == [3, 2, 1]
    # Its clients are those of a run without it.
    others, first = linear_parts(STRATEGIES["mean"](), federation=LinearFederation(3))
    others = changed(others, cohort=parts.world.cohort._replace(sample=lambda *_: [0, 2]))
    assert np.array_equal(one_round(others, first)[0].weights, after.weights)


def test_if_all_clients_fail_the_run_stops_with_the_first_reason():
    parts, state = with_broken({0, 1, 2})
    said = r"round 1, client 0: the client algorithm sgd failed: ZeroDivisionError.*\n.*in train.*\n.*All 3 clients"
    with pytest.raises(ClientError, match=said):
        one_round(parts, state)


def test_on_client_error_stop_stops_at_the_first():
    parts, state = with_broken({1}, participation=Participation(rejects_failures=False))
    with pytest.raises(ClientError, match="round 1, client 1: the client algorithm sgd failed: Zero"):
        one_round(parts, state)


@pytest.mark.parametrize("broken", [{0, 1, 2}, {1}])
def test_where_only_noised_figures_are_published_no_error_names_a_client_or_its_reason(broken):
    stops = Participation(rejects_failures=len(broken) == 3)
    parts, state = with_broken(broken, participation=stops, publishes_noised_only=True)
    with pytest.raises(ClientError) as caught:
        loop.run_experiment(parts, state, MemoryStore(), QUIET, hooks_of(parts))
    told = "".join(traceback.format_exception(caught.value))
    assert "round 1: the work of one client or more failed" in told
    assert not any(each in told for each in ("client 0", "client 1", "no data", "ZeroDivision", "in train"))


class ResourceExhaustedError(Exception):
    """TensorFlow's error of that name is an exception of its own."""


@pytest.mark.parametrize("kind", [MemoryError, ResourceExhaustedError])
def test_memory_that_runs_out_is_not_the_failure_of_a_client(kind):
    class Full(LinearRuntime):
        def train(self, start, assignment):
            raise kind

    federation = LinearFederation(3)
    parts, state = linear_parts(STRATEGIES["mean"](), federation=federation, runtime=Full(federation))
    with pytest.raises(ClientError, match=rf"round 1, client 0: .* failed: {kind.__name__}"):
        one_round(parts, state)


@pytest.mark.parametrize("name", ["mean", "weighted", "fedsgd", "fedprox", "fedavgm", "fedadam"])
def test_without_a_valid_update_the_model_stays_and_the_record_says_so(name):
    parts, state = plain(name, payloads=dict.fromkeys(range(5), TOO_SHORT))
    state = replace(state, weights=np.ones(SIZE, np.float32))
    after, record, _ = one_round(parts, state)
    assert np.array_equal(after.weights, state.weights)
    assert after.server == state.server
    assert after.round == 1
    assert record["note"] == "no valid update: model unchanged"


def test_an_admit_of_any_transform_can_reject():
    parts, state = plain(payloads={0: 9.0, 1: 1.0}, num_clients=2)
    lying = clip(clip_norm=2.0)._replace(encode=lambda update, _state, _context: update)
    strategy = parts.strategy._replace(transforms=(lying, *parts.strategy.transforms))
    parts, state = (
        changed(parts, strategy=strategy),
        replace(state, transforms={**state.transforms, "clip": {}}),
    )
    after, _, rows = one_round(parts, state)
    assert "exceeds the clip norm" in rows[0]["reason"]
    assert after.weights.tolist() == [1.0] * SIZE


def test_server_halves_run_last_to_first_and_their_states_return():
    calls = []

    def marking(name):
        def decode(aggregate, state, _context):
            calls.append(name)
            return aggregate, {"n": state["n"] + 1}

        return Transform(name, init=lambda _size: {"n": np.int64(0)}, decode=decode)

    strategy = STRATEGIES["mean"]()._replace(transforms=(marking("a"), marking("b")))
    parts, state = linear_parts(strategy)
    state, _, _ = run(parts, state)
    assert calls == ["b", "a"] * 3
    assert {name: int(state.transforms[name]["n"]) for name in "ab"} == {"a": 3, "b": 3}


# --- non-trainable weights -------------------------------------------------------------------------------


def test_federated_statistics_are_averaged_as_updates_are():
    federation = LinearFederation(3)
    runtime = LinearRuntime(
        federation, by_examples=True, statistics=lambda _start, client: np.array([client, 1], np.float32)
    )
    parts, state = linear_parts(
        STRATEGIES["weighted"](), federation=federation, runtime=runtime, num_statistics=2
    )
    after, record, _ = one_round(parts, state)
    assert after.statistics == pytest.approx([np.average(range(3), weights=[4, 5, 6]), 1])
    assert after.statistics.dtype == np.float32
    assert record["bytes_down"] == 3 * 4 * (SIZE + 2)


def test_statistics_that_nobody_sends_stay():
    parts, state = plain(num_clients=2)
    state = replace(state, statistics=np.array([5.0], np.float32))
    after, _, _ = one_round(parts, state)
    assert after.statistics.tolist() == [5.0]


# --- the average of the models -------------------------------------------------------------------------


def test_the_average_of_the_models_is_kept_and_evaluated_beside_the_last():
    parts, state = plain(average_decay=0.5)
    states = [state]
    parts = changed(
        parts, callbacks=[Callback(on_round_end=lambda _run, after, _record: states.append(after))]
    )
    _, _, store = run(parts, state)
    expected = np.average([after.weights for after in states[1:]], axis=0, weights=[1, 2, 4])
    mean = mean_model(states[-1].average)
    assert mean == pytest.approx(expected)
    figures = evaluation.evaluate_test(parts, replace(states[-1], weights=mean))
    assert store.records[-1]["average/test/loss"] == figures["loss"] != store.records[-1]["test/loss"]
    assert store.records[0]["average/test/loss"] == store.records[0]["test/loss"]


def test_without_a_decay_there_is_no_average_and_with_one_nothing_else_changes():
    one, other = run(*plain()), run(*plain(average_decay=0.9))
    assert one[0].average == {}
    assert one[0].weights.tobytes() == other[0].weights.tobytes()
    kept = [{k: v for k, v in untimed(r).items() if not k.startswith("average/")} for r in other[2].records]
    assert kept == [untimed(record) for record in one[2].records] != [untimed(r) for r in other[2].records]


def test_rounds_that_leave_the_model_as_it_was_leave_the_average_too():
    parts, state = plain(payloads=dict.fromkeys(range(5), TOO_SHORT), average_decay=0.5)
    after, record, _ = one_round(parts, replace(state, average={"sum": np.ones(SIZE), "weight": 0.5}))
    assert "model unchanged" in record["note"]
    assert after.average == {"sum": pytest.approx(np.ones(SIZE)), "weight": 0.5}
    parts, state, store = charged_before(2, average_decay=0.5)
    after, record, _ = loop.next_round(parts, state, store, lambda _done, _planned: None)
    assert "void" in record["note"]
    assert after.average is state.average
    assert after.average["weight"] == 0.5


# --- the cohort ------------------------------------------------------------------------------------------


def at(round):
    """The state before a round."""
    return RoundState(round - 1, *(np.zeros(size, np.float32) for size in (SIZE, 0, 0)))


def test_a_cohort_is_a_function_of_the_seed_and_the_round():
    parts, _ = plain(num_clients=50, cohort=uniform(size=5))
    cohorts = [selection.sample_cohort(parts, at(round)) for round in (1, 2, 1)]
    assert cohorts[0] == cohorts[2] == sorted(cohorts[0])
    assert cohorts[0] != cohorts[1]
    assert selection.sample_cohort(changed(parts, seed=8), at(1)) != cohorts[0]


def test_a_private_cohort_is_not_derivable_from_the_seed():
    parts, _ = private(federation=LinearFederation(400), cohort=uniform(size=200))
    first, second = (selection.sample_cohort(parts, at(1)) for _ in range(2))
    assert first != second  # equal with probability 1 in 400 choose 200
    open_parts = changed(parts, reproducible_noise=True)
    assert selection.sample_cohort(open_parts, at(1)) == selection.sample_cohort(open_parts, at(1))


def test_only_the_clients_of_the_cohort_are_asked_for():
    federation = LinearFederation(1000)
    parts, state = linear_parts(STRATEGIES["mean"](), federation=federation, cohort=uniform(size=3))
    _, _, rows = one_round(parts, state)
    assert federation.asked == [row["client"] for row in rows]
    assert len(federation.asked) == 3


# --- differential privacy --------------------------------------------------------------------------------


def test_without_clip_and_noise_a_private_round_is_the_mean_to_the_bit():
    parts, state = private(clip_norm=float("inf"))
    expected, expected_state = plain()
    for _ in range(3):
        state, _, _ = one_round(parts, state)
        expected_state, _, _ = one_round(expected, expected_state)
    assert np.array_equal(state.weights, expected_state.weights)


def test_the_divisor_is_the_planned_cohort_and_not_the_realised_one():
    federation = LinearFederation(6)
    runtime = LinearRuntime(federation, payloads={k: [1.0, 0.0, 0.0] for k in range(6)})
    everyone = poisson(rate=0.5)._replace(sample=lambda _rng, population, _state: np.arange(population))
    parts, state = private(clip_norm=5.0, federation=federation, runtime=runtime, cohort=everyone)
    after, record, _ = one_round(parts, state)
    assert record["clients/finished"] == 6
    assert after.weights.tolist() == [6 / 3, 0, 0]


@pytest.mark.parametrize("bad", [NAN, [1.0], [np.inf, 0, 0]])
def test_a_rejected_client_does_not_change_the_divisor(bad):
    federation = LinearFederation(4)
    payloads = {k: [1.0, 0.0, 0.0] for k in range(4)} | {2: bad}
    parts, state = private(
        clip_norm=5.0, federation=federation, runtime=LinearRuntime(federation, payloads=payloads)
    )
    after, record, rows = one_round(parts, state)
    assert record["clients/rejected"] == 1
    assert "reason" in rows[2]
    assert after.weights.tolist() == [3 / 4, 0, 0]


@pytest.mark.parametrize("reproducible", [False, True])
def test_an_empty_cohort_releases_the_noise_all_the_same(reproducible):
    nobody = poisson(rate=0.5)._replace(sample=lambda _rng, _population, _state: np.zeros(0, np.int64))
    parts, state = private(noise_multiplier=2.0, cohort=nobody, reproducible_noise=reproducible)
    charged = []
    after, record, rows = one_round(parts, state, charged.append)
    assert rows == []
    assert charged == [1]
    assert after.releases == 1
    assert np.abs(after.weights).min() > 0
    assert "note" not in record
    assert record["clients/planned"] == record["examples"] == 0


def test_a_round_whose_every_update_is_rejected_releases_the_noise():
    federation = LinearFederation(3)
    runtime = LinearRuntime(federation, payloads=dict.fromkeys(range(3), NAN))
    parts, state = private(noise_multiplier=1.0, federation=federation, runtime=runtime)
    after, record, _ = one_round(parts, state)
    assert after.weights.any()
    assert record["note"] == "no valid update: the model moved by noise alone"
    _, record, _ = one_round(changed(parts, publishes_noised_only=True), state)
    assert "note" not in record


def test_the_noise_has_the_stated_deviation_on_the_sum():
    size = 40_000
    federation = LinearFederation(10)
    runtime = LinearRuntime(federation, payloads=dict.fromkeys(range(10), np.zeros(size)))
    parts, state = private(clip_norm=0.5, noise_multiplier=3.0, federation=federation, runtime=runtime)
    trainable = parts.layout.trainable._replace(shapes=((size,),))
    parts = changed(parts, layout=parts.layout._replace(trainable=trainable))
    state = replace(state, weights=np.zeros(size, np.float32))
    state = replace(state, transforms={**state.transforms, "arrival": {"size": np.int64(size)}})
    after, _, _ = one_round(parts, state)
    # 40,000 samples: the standard error of a standard deviation is 0.35 %.
    assert np.std(after.weights * 10) == pytest.approx(0.5 * 3.0, rel=0.02)


def test_noise_of_the_operating_system_never_repeats_and_the_seeds_does():
    weights = {}
    for reproducible in (False, True):
        parts, state = private(noise_multiplier=1.0, reproducible_noise=reproducible)
        weights[reproducible] = [one_round(parts, state)[0].weights for _ in range(2)]
    assert not np.array_equal(*weights[False])
    assert np.array_equal(*weights[True])


coordinates = st.lists(st.floats(-1e6, 1e6, width=32), min_size=SIZE, max_size=SIZE)


@given(
    payloads=st.lists(coordinates, min_size=3, max_size=3),
    replaced=coordinates,
    clip_norm=st.floats(0.125, 100, width=32),
)
def test_neighbouring_federations_differ_by_at_most_the_clip_norm(payloads, replaced, clip_norm):
    """The sum before noise: one client more moves it by at most C, one replaced by at most 2C."""

    def summed(updates, cohort):
        federation = LinearFederation(3)
        runtime = LinearRuntime(federation, payloads=dict(enumerate(updates)))
        chosen = poisson(rate=1.0)._replace(
            sample=lambda _rng, _population, _state: np.array(cohort, np.int64)
        )
        parts, state = private(clip_norm=clip_norm, federation=federation, runtime=runtime, cohort=chosen)
        context = RoundContext(parts.run.seed, 1, False)
        present = attend(parts, state)
        arrivals = Arrivals(parts, state, context, present, lambda _done, _planned: None)
        outcomes = adversary.outcomes(parts, client_work(parts, state, context, present.turns), present.turns)
        return parts.strategy.aggregator.aggregate(arrivals.accepted(outcomes), SIZE, {})[0].value

    with_all = summed(payloads, [0, 1, 2])
    slack = 1e-9 * clip_norm
    assert np.linalg.norm(with_all - summed(payloads, [0, 2])) <= clip_norm + slack
    assert (
        np.linalg.norm(with_all - summed([payloads[0], replaced, payloads[2]], [0, 1, 2]))
        <= 2 * clip_norm + slack
    )


def test_every_round_is_charged_before_its_release_and_its_epsilon_recorded():
    store = MemoryStore()
    seen = []
    parts, state = private(noise_multiplier=1.0)
    noise = parts.strategy.transforms[1]

    def decode(aggregate, own, context):
        seen.append((context.round, list(store.charges)))
        return noise.decode(aggregate, own, context)

    transforms = [t._replace(decode=decode) if t is noise else t for t in parts.strategy.transforms]
    parts = changed(parts, strategy=parts.strategy._replace(transforms=transforms))
    state, _, _ = run(parts, state, store)
    assert seen == [(1, [1]), (2, [1, 2]), (3, [1, 2, 3])]
    assert [record["epsilon"] for record in store.records] == [1.0, 2.0, 3.0]
    assert state.releases == 3


def test_an_infinite_epsilon_is_null_in_the_record():
    infinite = counting_accountant(float("inf"))
    parts, state = private(accountant=infinite)
    _, record, _ = one_round(parts, state)
    assert record["epsilon"] is None


def test_a_run_without_privacy_charges_nothing_and_has_no_epsilon():
    parts, state = plain()
    _, _, store = run(parts, state)
    assert store.charges == []
    assert all("epsilon" not in record for record in store.records)


@pytest.mark.parametrize(("budget", "rounds"), [(0.5, 0), (1.0, 1), (2.5, 2), (3.0, 3), (9.0, 3)])
def test_a_run_stops_before_the_round_that_would_pass_its_budget(budget, rounds):
    parts, state = private(noise_multiplier=1.0, epsilon=budget)
    state, reason, store = run(parts, state)
    assert state.round == state.releases == len(store.records) == rounds
    assert ("the privacy budget is spent" in reason) == (rounds < 3)


def charged_before(round, **changes):
    """A run that was killed between the charge of `round` and its commit."""
    parts, state = private(noise_multiplier=1.0, **changes)
    store = MemoryStore()
    finished = changed(parts, rounds=round - 1)
    if round > 1:
        state, _, _ = run(finished, state, store)
    store.charge(round)
    return parts, state, store


def test_a_round_that_may_have_been_released_is_void_and_never_released_again():
    parts, state, store = charged_before(2)
    after, record, clients = loop.next_round(parts, state, store, lambda _done, _planned: None)
    assert np.array_equal(after.weights, state.weights)
    assert (after.round, after.releases) == (2, 2)
    assert record["epsilon"] == 2.0
    assert "charged and not repeated" in record["note"]
    assert clients == []


def test_a_run_goes_on_after_a_void_round_and_the_budget_counts_it():
    parts, state, store = charged_before(2, epsilon=2.0, rounds=3)
    state, reason, store = run(parts, state, store)
    assert [record["round"] for record in store.records] == [1, 2]
    assert "the privacy budget is spent" in reason
    assert state.releases == 2


def test_with_reproducible_noise_the_round_is_simply_repeated():
    parts, state, store = charged_before(2, reproducible_noise=True)
    resumed, _, _ = run(parts, state, store)
    uninterrupted, _, _ = run(*private(noise_multiplier=1.0, reproducible_noise=True))
    assert np.array_equal(resumed.weights, uninterrupted.weights)
    assert resumed.releases == 3


# --- an experiment ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("every", "expected"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (5, [5]), (9, [5])])
def test_the_model_is_evaluated_every_so_often_and_in_the_last_round(every, expected):
    parts, state = plain(rounds=5, evaluation=EvaluationSettings(every, False, 3, {}))
    _, _, store = run(parts, state)
    assert [record["round"] for record in store.records if "test/loss" in record] == expected


def test_clients_are_evaluated_where_asked():
    parts, state = plain(evaluation=EvaluationSettings(1, True, 3, {"loss": False}))
    _, record, _ = one_round(parts, state)
    assert {"validation/loss", "validation/loss/worst", "validation/loss/p50"} <= set(record)


def test_callbacks_see_the_run_in_order_and_after_the_commit():
    calls, store = [], MemoryStore()

    def callback(name):
        return Callback(
            on_start=lambda _run, records: calls.append((name, "start", len(records))),
            on_round_end=lambda _run, state, record: calls.append(
                (name, state.round, record["round"], len(store.records))
            ),
            on_end=lambda _run, state, records: calls.append((name, "end", state.round, len(records))),
        )

    parts, state = plain(rounds=2, callbacks=[callback("a"), callback("b")])
    observer = Observer(
        round_end=lambda record: calls.append(("screen", record["round"], len(store.records)))
    )
    run(parts, state, store, observer)
    assert calls == [
        *[("a", "start", 0), ("b", "start", 0)],
        *[("screen", 1, 1), ("a", 1, 1, 1), ("b", 1, 1, 1)],
        *[("screen", 2, 2), ("a", 2, 2, 2), ("b", 2, 2, 2)],
        *[("a", "end", 2, 2), ("b", "end", 2, 2)],
    ]


def test_the_first_reason_ends_the_run_and_every_callback_is_still_called():
    seen = []
    stops = [
        Callback(on_round_end=lambda _run, state, _record: "first" if state.round == 2 else None),
        Callback(
            on_round_end=lambda _run, state, _record: (
                seen.append(state.round) or "second" * (state.round == 2)
            )
        ),
    ]
    parts, state = plain(callbacks=stops)
    state, reason, store = run(parts, state)
    assert (state.round, reason) == (2, "first")
    assert seen == [1, 2]
    assert store.durable[-1] is state


def test_a_callback_may_stop_a_run_before_its_first_round():
    parts, state = plain(callbacks=[Callback(on_start=lambda _run, _records: "not today")])
    after, reason, store = run(parts, state)
    assert (after, reason, store.records) == (state, "not today", [])


def test_a_finished_run_says_so_and_does_nothing():
    parts, state = plain()
    state, reason, store = run(parts, state)
    assert reason == "all 3 rounds are done"
    again, reason, _ = run(parts, state, store)
    assert again is state
    assert len(store.records) == 3


@pytest.mark.parametrize("every", [1, 2, 5])
@pytest.mark.parametrize("stop", [(1, 0), (1, 3), (2, 0), (3, 5)])
def test_an_interrupted_run_makes_its_last_round_durable_and_goes_on_to_the_same_bits(every, stop):
    expected, _, whole = run(*plain("fedavgm"))
    parts, state = plain("fedavgm")
    store = MemoryStore(every)

    def watch(done, _planned):
        if (len(store.records) + 1, done) == stop:
            raise RunInterrupted("stop")

    with pytest.raises(RunInterrupted):
        run(parts, state, store, Observer(watch))
    assert store.durable[-1].round == len(store.records) == stop[0] - 1
    resumed, _, _ = run(parts, store.durable[-1], store)
    assert np.array_equal(resumed.weights, expected.weights)
    assert [untimed(record) for record in store.records] == [untimed(record) for record in whole.records]


def test_the_order_of_the_cohort_is_the_order_of_the_clients():
    """Permutation law: who holds a number plays no part in an equally weighted round of exact sums."""
    payloads = {k: [float(k), 2.0**k, -float(k)] for k in range(5)}
    shuffled = {k: payloads[j] for k, j in enumerate([3, 0, 4, 1, 2])}
    one, other = (one_round(*plain(payloads=each))[0].weights for each in (payloads, shuffled))
    assert np.array_equal(one, other)


def test_the_realised_number_of_clients_does_not_reach_a_private_model():
    shares = []

    def record(weights, _mean, state, share):
        shares.append(share)
        return weights, state

    some = poisson(rate=0.5)._replace(sample=lambda _rng, _population, _state: np.array([1, 4]))
    parts, state = private(cohort=some)
    server = parts.strategy.server._replace(apply=record)
    one_round(changed(parts, strategy=parts.strategy._replace(server=server)), state)
    one_round(changed(parts, strategy=parts.strategy._replace(server=server, privacy=None)), state)
    assert shares == [0.5, 0.4]


def test_the_last_round_within_a_budget_is_evaluated():
    parts, state = private(noise_multiplier=1.0, epsilon=1.5)
    parts = changed(parts, evaluation=parts.run.evaluation._replace(every=100))
    store = MemoryStore()
    loop.run_experiment(parts, state, store, Observer(), hooks_of(parts))
    assert 0 < len(store.records) < parts.run.rounds
    assert "test/loss" in store.records[-1]
