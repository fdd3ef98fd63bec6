"""Power-of-choice: candidates by their examples, of them the largest losses, and clients never heard of first."""

import numpy as np
import pytest
import tiny
from fakes import LinearFederation, LinearRuntime, linear_parts

from fedcli.components.cohorts import power_of_choice
from fedcli.components.strategies import STRATEGIES
from fedcli.config import ConfigErrors
from fedcli.core.errors import ConfigError, VoidRoundError
from fedcli.core.privacy_events import GaussianEvent
from fedcli.core.rounds import Report
from fedcli.core.sampling_scheme import Sampling
from fedcli.core.seeds import SERVER, generator
from fedcli.core.types import FIXED
from fedcli.engine.round import run_round
from fedcli.privacy import accountant_for

EVERYBODY = power_of_choice(size=2, candidates=5)


def rng(seed=7):
    return generator(seed, 1, SERVER, "cohort")


def heard(cohort, losses, num_clients=5):
    """The state after these clients reported these losses."""
    reports = [Report(client, 1, {"loss": loss}) for client, loss in losses.items()]
    return cohort.observe(reports, cohort.init(np.ones(num_clients, np.int64)))


def losses(state):
    """The losses that clients reported, by client."""
    return dict(zip(state["clients"].tolist(), state["losses"].tolist(), strict=True))


def test_the_largest_losses_are_chosen():
    state = heard(EVERYBODY, {0: 0.5, 1: 3.0, 2: 1.0, 3: 2.0, 4: 0.1})
    assert [EVERYBODY.sample(rng(seed), 5, state).tolist() for seed in range(5)] == [[1, 3]] * 5


def test_clients_never_heard_of_come_first():
    state = heard(EVERYBODY, {0: 0.5, 1: 1e9, 2: 1.0, 4: 0.1})
    assert EVERYBODY.sample(rng(), 5, state).tolist() == [1, 3]


def test_equal_losses_are_ordered_at_random():
    state = EVERYBODY.init(np.array([1, 1, 1, 1, 96]))
    counts = np.bincount(np.concatenate([EVERYBODY.sample(rng(seed), 5, state) for seed in range(1000)]))
    # Everybody is a candidate: that client 4 is nearly always drawn first must not matter.
    assert np.abs(counts - 400).max() < 5 * np.sqrt(1000 * 0.4 * 0.6)


def test_only_candidates_are_chosen_and_they_are_drawn_by_their_examples():
    cohort = power_of_choice(size=1, candidates=1)
    told = heard(cohort, {0: 9.0, 1: 1.0, 2: 1.0}, 3)
    state = {**told, FIXED: cohort.init(np.array([1, 6, 3]))[FIXED]}
    counts = np.bincount(np.concatenate([cohort.sample(rng(seed), 3, state) for seed in range(2000)]))
    expected = np.array([200, 1200, 600])
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


def test_clients_without_examples_are_no_candidates():
    cohort = power_of_choice(size=2, candidates=2)
    state = cohort.init(np.array([0, 4, 0, 4]))
    assert {tuple(cohort.sample(rng(seed), 4, state)) for seed in range(20)} == {(1, 3)}


def test_a_report_replaces_the_loss_of_its_client_and_no_other():
    before = heard(EVERYBODY, {0: 1.0, 1: 2.0})
    after = EVERYBODY.observe([Report(1, 4, {"loss": 0.25})], before)
    assert losses(after) == {0: 1.0, 1: 0.25}
    assert losses(before) == {0: 1.0, 1: 2.0}


@pytest.mark.parametrize(
    "report", [Report(0, reason="dropped out"), Report(0, 4, {}), Report(0, 4, {"loss": float("nan")})]
)
def test_a_client_that_reports_no_loss_keeps_its_last_one(report):
    assert losses(EVERYBODY.observe([report], heard(EVERYBODY, {0: 1.5}))) == {0: 1.5}


@pytest.mark.parametrize("sizes", [[3] * 40, [1] * 30 + [10**6] * 2, [0, 5] * 10, [*range(1, 200)]])
def test_the_draws_are_those_of_numpy(sizes):
    sizes = np.array(sizes)
    # With so many candidates some are drawn twice.
    cohort = power_of_choice(size=10, candidates=10)
    state = cohort.init(sizes)
    for seed in range(30):
        by = rng(seed)
        drawn = np.sort(by.choice(len(sizes), 10, replace=False, p=sizes / sizes.sum()))
        assert cohort.sample(again := rng(seed), len(sizes), state).tolist() == drawn.tolist()
        by.permutation(10)
        assert by.random() == again.random()


def test_what_it_keeps_follows_the_clients_that_were_asked_and_not_the_population():
    cohort = power_of_choice(size=2, candidates=5)
    state = cohort.init(np.ones(10**6, np.int64))
    for round in range(3):
        clients = cohort.sample(rng(round), 10**6, state).tolist()
        state = cohort.observe([Report(client, 1, {"loss": 1.0}) for client in clients], state)
    kept = {name: value for name, value in state.items() if name != FIXED}
    assert sum(value.nbytes for value in kept.values()) == 2 * 3 * (8 + 8)


def test_a_loss_of_everybody_that_an_earlier_version_kept_counts_as_before():
    told = heard(EVERYBODY, {0: 0.5, 1: 3.0, 3: 2.0})
    old = {FIXED: told[FIXED], "num_examples": np.ones(5), "loss": np.array([0.5, 3.0, np.inf, 2.0, np.inf])}
    for seed in range(5):
        assert np.array_equal(EVERYBODY.sample(rng(seed), 5, old), EVERYBODY.sample(rng(seed), 5, told))
    after = EVERYBODY.observe([Report(2, 1, {"loss": 7.0})], old)
    assert (losses(after), after.keys()) == ({0: 0.5, 1: 3.0, 2: 7.0, 3: 2.0}, told.keys())


def test_it_plans_with_constants_of_the_config():
    assert EVERYBODY.observes
    assert EVERYBODY.expected_size(9) == 2
    assert EVERYBODY.sampling(9) == Sampling("chosen", 9, size=2)
    assert (EVERYBODY.sampling(9).largest, EVERYBODY.sampling(9).has_fixed_size) == (2, True)


@pytest.mark.parametrize(
    ("parameters", "key", "words"),
    [
        ({"size": 0, "candidates": 3}, "size", "at least 1 client; received 0"),
        ({"size": 4, "candidates": 3}, "candidates", "4 clients cannot be chosen from 3 candidates"),
    ],
)
def test_a_cohort_that_cannot_be_chosen_is_refused(parameters, key, words):
    with pytest.raises(ConfigError, match=words) as caught:
        power_of_choice(**parameters)
    assert caught.value.key == key


def test_more_candidates_than_clients_are_refused():
    for ask in (EVERYBODY.sampling, EVERYBODY.expected_size):
        with pytest.raises(ConfigError, match="5 candidates cannot be drawn from 4 clients") as caught:
            ask(4)
        assert (caught.value.key, "at most 4" in caught.value.hint) == ("candidates", True)


def test_more_candidates_than_clients_with_examples_are_refused():
    with pytest.raises(ConfigError, match="4 of 6 clients have any") as caught:
        EVERYBODY.init(np.array([3, 0, 1, 2, 0, 7]))
    assert caught.value.key == "candidates"


def test_no_accountant_is_valid_for_it():
    with pytest.raises(ConfigError, match="no accountant is valid") as caught:
        accountant_for(GaussianEvent(1.0, 1.0), EVERYBODY.sampling(9))
    assert caught.value.key == "cohort"


DP_SGD = (
    "{name: dp-sgd, clip_norm: 0.5, noise_multiplier: 1.0, delta: 1.0e-3, rate: 0.4, steps: 3, "
    "expected_batch_size: 4}"
)
COHORT = "cohort={name: power-of-choice, size: 2, candidates: 3}"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ([tiny.PRIVATE[1]], "not noised"),
        (["strategy={name: dp-local, clip_norm: 1.0, noise_multiplier: 1.0, delta: 1.0e-3}"], "not noised"),
        ([f"strategy={DP_SGD}"], "not noised"),
        (
            ["strategy={name: fedbuff, buffer_size: 2}", "devices=lognormal"],
            "draws the next client uniformly",
        ),
        (["cohort.candidates=5"], "5 candidates cannot be drawn from 4 clients"),
        (["cohort.size=4"], "4 clients cannot be chosen from 3 candidates"),
        (["strategy={name: krum, num_byzantine: 1}"], "needs at least 5 clients"),
    ],
)
def test_what_it_does_not_support_is_refused_at_its_place(overrides, words):
    with pytest.raises(ConfigErrors, match=words) as caught:
        tiny.plan(COHORT, *overrides)
    assert "cohort" in str(caught.value)


def test_masks_are_planned_for_its_cohorts():
    encrypted = ["strategy=mean", "fixed_point={clip_norm: 2.0, bits: 12}", "encryption={name: secagg}"]
    setup = tiny.plan(COHORT, "cohort.size=3", *encrypted)
    assert setup.protocol.encryption.figures["parties"] == 3
    with pytest.raises(ConfigErrors, match="at least 3 clients"):
        tiny.plan(COHORT, *encrypted)


# --- in rounds -------------------------------------------------------------------------------------------


def rounds(parts, state, count=1):
    for _ in range(count):
        state, _, rows = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
    return state, rows


def test_what_clients_reported_in_a_round_decides_the_next():
    cohort = power_of_choice(size=3, candidates=5)
    parts, state = linear_parts(STRATEGIES["mean"](), federation=LinearFederation(5), cohort=cohort)
    assert losses(state.cohort) == {}
    after, rows = rounds(parts, state)
    told = {row["client"]: row["train/loss"] for row in rows}
    assert losses(after.cohort) == told
    assert len(told) == 3
    _, rows = rounds(parts, after)
    # The two that were not heard of, and of the others the one with the largest loss.
    assert {row["client"] for row in rows} == {*range(5)} - {*told} | {max(told, key=told.get)}


def test_a_client_that_is_refused_stays_unheard():
    federation = LinearFederation(3)
    runtime = LinearRuntime(federation, payloads={1: [np.nan, 0.0, 0.0]})
    parts, state = linear_parts(
        STRATEGIES["mean"](),
        federation=federation,
        runtime=runtime,
        cohort=power_of_choice(size=3, candidates=3),
    )
    after, _ = rounds(parts, state)
    assert after.cohort["clients"].tolist() == [0, 2]


def test_a_void_round_is_heard_all_the_same():
    def closed(updates, _size, _state):
        list(updates)
        raise VoidRoundError("the sum stays closed")

    strategy = STRATEGIES["mean"]()
    strategy = strategy._replace(aggregator=strategy.aggregator._replace(aggregate=closed))
    parts, state = linear_parts(
        strategy, federation=LinearFederation(3), cohort=power_of_choice(size=2, candidates=3)
    )
    after, rows = rounds(parts, state)
    assert after.weights is state.weights
    assert {row["client"] for row in rows} == {*after.cohort["clients"].tolist()}
