"""Malicious clients in a round: what they see, what they send, and what is written down of them."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import SIZE, LinearFederation, LinearRuntime, linear_parts

from fedcli.components.aggregators import median
from fedcli.components.attacks import ipm, sign_flip
from fedcli.components.attacks.attack import Adversary, Attack
from fedcli.components.cohorts import uniform
from fedcli.components.strategies import STRATEGIES
from fedcli.core.errors import ConfigError, InvalidUpdateError
from fedcli.core.transform import Transform
from fedcli.engine import evaluation
from fedcli.engine.adversary import malicious_clients, trained_on
from fedcli.engine.round import run_round
from fedcli.engine.setup import EvaluationSettings
from fedcli.testing.changes import changed

NAN = [np.nan, 0.0, 0.0]


def one_round(parts, state):
    return run_round(parts, state, lambda _round: None, lambda _done, _planned: None)


def attacked(
    attack, malicious, *, payloads=None, num_clients=5, runtime=LinearRuntime, strategy=None, **changes
):
    federation = LinearFederation(num_clients)
    return linear_parts(
        strategy or STRATEGIES["mean"](),
        federation=federation,
        runtime=runtime(federation, payloads=payloads),
        adversary=Adversary(attack, frozenset(malicious)),
        **changes,
    )


def recording(calls, value=9.0):
    """An omniscient attack that notes what it is shown and sends a constant."""

    def collude(own, honest, _rng):
        calls.append(([float(v[0]) for v in own], [float(v[0]) for v in honest]))
        return [np.full(SIZE, value, np.float32)] * len(own)

    return Attack("recording", collude=collude)


def doubling():
    """A transform that makes encoding and admission visible: what is sent is twice the update, and at most 20."""
    return Transform(
        "double",
        encode=lambda update, _state, _context: replace(update, payload=2 * update.payload),
        admit=lambda update, _state, _context: "too large" if np.abs(update.payload).max() > 20 else None,
    )


# --- who is malicious ------------------------------------------------------------------------------------


def test_a_share_is_drawn_by_the_seed():
    drawn = [malicious_clients(0.2, None, num_clients=50, root=root) for root in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 10
    assert drawn[0] <= set(range(50))
    assert len(malicious_clients(0.01, None, num_clients=5, root=1)) == 1


def test_clients_can_be_named():
    assert malicious_clients(None, (3, 1, 3), num_clients=5, root=1) == {1, 3}


@pytest.mark.parametrize(
    ("share", "clients", "key", "said"),
    [
        (None, (2, 5), "clients", "there is no client 5; the 5 clients are numbered from 0"),
        (None, (0, 1, 2, 3, 4), "clients", "all 5 clients would be malicious"),
        (0.95, None, "share", "all 5 clients would be malicious"),
    ],
)
def test_clients_that_do_not_exist_and_rounds_without_honest_ones_are_refused(share, clients, key, said):
    with pytest.raises(ConfigError, match=said) as caught:
        malicious_clients(share, clients, num_clients=5, root=1)
    assert caught.value.key == key


# --- what they train on ----------------------------------------------------------------------------------


def poisoning():
    def poison(data, rng):
        return data._replace(y_train=data.y_train + np.float32(rng.normal()))

    return Attack("poisoning", poison=poison)


def test_only_malicious_clients_train_on_poisoned_data_the_same_in_every_round():
    federation = LinearFederation(4)
    seen = trained_on(federation, Adversary(poisoning(), frozenset({1, 2})), 7)
    for client in range(4):
        honest, first, again = federation.client(client), seen.client(client), seen.client(client)
        assert np.array_equal(honest.y_train, first.y_train) == (client not in {1, 2})
        assert np.array_equal(first.y_train, again.y_train)
        assert np.array_equal(honest.x_train, first.x_train)
        assert np.array_equal(honest.y_validation, first.y_validation)
    other = trained_on(federation, Adversary(poisoning(), frozenset({1})), 8)
    assert not np.array_equal(other.client(1).y_train, seen.client(1).y_train)


def test_without_poison_clients_train_on_the_federation_itself():
    federation = LinearFederation(4)
    assert trained_on(federation, None, 7) is federation
    assert trained_on(federation, Adversary(sign_flip(), frozenset({1})), 7) is federation


# --- what they send --------------------------------------------------------------------------------------


def test_a_forged_update_stands_in_its_place_of_the_cohort():
    parts, state = attacked(sign_flip(scale=2.0), {1}, payloads={k: float(k + 1) for k in range(5)})
    after, _, rows = one_round(parts, state)
    assert after.weights == pytest.approx([(1 - 4 + 3 + 4 + 5) / 5] * SIZE)
    assert [row["client"] for row in rows] == [0, 1, 2, 3, 4]


def test_colluding_clients_see_the_honest_updates_and_send_after_them():
    calls = []
    parts, state = attacked(recording(calls), {0, 3}, payloads={k: float(k) for k in range(5)})
    after, _, rows = one_round(parts, state)
    assert calls == [([0, 3], [1, 2, 4])]
    assert [row["client"] for row in rows] == [1, 2, 4, 0, 3]
    assert after.weights == pytest.approx([(1 + 2 + 4 + 9 + 9) / 5] * SIZE)


@pytest.mark.parametrize("attack", [recording([]), sign_flip(scale=9.0)], ids=lambda attack: attack.name)
def test_crafted_updates_are_encoded_and_admitted_like_any_other(attack):
    strategy = STRATEGIES["mean"]()._replace(transforms=(doubling(),))
    payloads = dict.fromkeys(range(5), 1.0) | {4: -1.0}
    parts, state = attacked(attack, {4}, payloads=payloads, strategy=strategy)
    after, _, _ = one_round(parts, state)
    # Nine doubled is 18, which is admitted.
    assert after.weights == pytest.approx([(4 * 2 + 18) / 5] * SIZE)
    parts, state = attacked(recording([], value=11.0), {4}, payloads=payloads, strategy=strategy)
    after, _, rows = one_round(parts, state)
    assert rows[-1]["reason"] == "too large"
    assert after.weights == pytest.approx([2] * SIZE)


def test_honest_updates_are_seen_before_they_are_encoded_and_only_if_finite():
    calls = []
    strategy = STRATEGIES["mean"]()._replace(transforms=(doubling(),))
    payloads = {0: 1.0, 1: NAN, 2: 2.0, 3: 3.0, 4: 4.0}
    parts, state = attacked(recording(calls, 1.0), {4}, payloads=payloads, strategy=strategy)
    _, record, _ = one_round(parts, state)
    assert calls == [([4], [1, 2, 3])]
    assert record["clients/rejected"] == 1


def test_a_malicious_client_that_cannot_train_sends_nothing():
    class Empty(LinearRuntime):
        def train(self, start, assignment):
            if assignment.client in {0, 2}:
                raise InvalidUpdateError("the client has no training examples")
            return super().train(start, assignment)

    for attack in (recording([], 1.0), sign_flip()):
        parts, state = attacked(attack, {0, 4}, runtime=Empty)
        _, record, rows = one_round(parts, state)
        reasons = {row["client"]: row.get("reason") for row in rows}
        assert reasons[0] == reasons[2] == "the client has no training examples"
        assert reasons[4] is None
        assert (record["clients/finished"], record["clients/malicious"]) == (3, 2)


def test_a_round_without_malicious_clients_is_an_honest_one():
    calls = []
    two_first = uniform(size=2)._replace(sample=lambda _rng, _population, _state: np.arange(2))
    parts, state = attacked(recording(calls), {4}, cohort=two_first)
    honest, _ = attacked(recording(calls), {4}, cohort=two_first)
    honest = changed(honest, adversary=None)
    after, record, _ = one_round(parts, state)
    assert np.array_equal(after.weights, one_round(honest, state)[0].weights)
    assert calls == []
    assert record["clients/malicious"] == 0


def test_in_a_round_without_honest_clients_the_malicious_ones_study_their_own():
    calls = []
    parts, state = attacked(recording(calls), {0, 1}, payloads={0: 1.0, 1: 2.0})
    only_them = uniform(size=2)._replace(sample=lambda _rng, _population, _state: np.arange(2))
    _, record, _ = one_round(changed(parts, cohort=only_them), state)
    assert calls == [([1, 2], [1, 2])]
    assert not any(name.startswith("train/") for name in record)


def test_random_attacks_are_functions_of_the_seed_the_round_and_the_client():
    noise = Attack("noise", forge=lambda update, rng: rng.normal(size=update.shape).astype(np.float32))
    sent = {}

    def note(update, _state, context):
        sent.setdefault(context.round, []).append(update.payload.tolist())
        return update

    strategy = STRATEGIES["mean"]()._replace(transforms=(Transform("note", encode=note),))
    for _ in range(2):
        parts, state = attacked(noise, range(4), strategy=strategy)
        state, _, _ = one_round(parts, state)
        one_round(parts, state)
    assert [len(sent[round]) for round in (1, 2)] == [10, 10]
    for round in (1, 2):
        assert sent[round][:4] == sent[round][5:9]
        assert len({tuple(vector) for vector in sent[round][:4]}) == 4
    assert sent[1][0] != sent[2][0]


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_workers_changes_no_bit(executors, workers):
    parts, state = attacked(ipm(epsilon=3.0), {0, 2, 7}, num_clients=40)
    expected, _, rows = one_round(parts, state)
    found, _, again = one_round(changed(parts, executor=executors[workers]), state)
    assert np.array_equal(expected.weights, found.weights)
    assert [row["client"] for row in rows] == [row["client"] for row in again]


def test_what_grows_beyond_float32_is_refused_without_a_warning():
    for attack in (sign_flip(scale=1e30), ipm(epsilon=1e30)):
        parts, state = attacked(attack, {0}, payloads=dict.fromkeys(range(5), 1e20))
        _, record, _ = one_round(parts, state)
        assert record["clients/rejected"] == 1


def test_a_median_holds_where_the_mean_is_turned_around():
    payloads = {k: 1.0 + 0.1 * k for k in range(5)}
    fooled, state = attacked(ipm(epsilon=100.0), {0}, payloads=payloads)
    assert (one_round(fooled, state)[0].weights < 0).all()
    strategy = STRATEGIES["mean"]()._replace(aggregator=median())
    held, state = attacked(ipm(epsilon=100.0), {0}, payloads=payloads, strategy=strategy)
    assert (one_round(held, state)[0].weights > 1).all()


# --- what is written down --------------------------------------------------------------------------------


def test_training_metrics_are_those_of_honest_clients():
    parts, state = attacked(sign_flip(), {1, 4})
    _, record, rows = one_round(parts, state)
    honest = [row for row in rows if row["client"] not in {1, 4}]
    assert [row["client"] for row in rows if row.get("malicious")] == [1, 4]
    assert not any("malicious" in row for row in honest)
    expected = np.average([row["train/loss"] for row in honest], weights=[row["examples"] for row in honest])
    assert record["train/loss"] == pytest.approx(expected)
    assert (record["clients/malicious"], record["clients/finished"]) == (2, 5)


def test_without_an_adversary_nothing_is_said_of_one():
    parts, state = linear_parts(STRATEGIES["mean"]())
    _, record, rows = one_round(parts, state)
    assert not any("malicious" in row for row in [record, *rows])
    assert "clients/malicious" not in record
    assert not any(name.startswith("attack/") for name in record)


class Deciding(LinearRuntime):
    """Takes an example for class 1 where its first feature is above the model's first weight."""

    def measure(self, start, x, y):
        hits = (x[:, 0] > start.weights[0]) == (y == 1)
        return {"loss": 0.0, "accuracy": float(hits.sum())}


class Marked(LinearFederation):
    """Five test examples, the third of the target class."""

    test = (
        np.array([[-5, 0, 0], [1, 0, 0], [9, 0, 0], [-1, 0, 0], [2, 0, 0]], np.float32),
        np.array([0, 0, 1, 0, 0]),
    )


def marking():
    """Adds two to the first feature of what is not of class 1, and wants to see class 1."""

    def trigger(x, y):
        others = y != 1
        return x[others] + np.array([2, 0, 0], np.float32), np.ones(int(others.sum()), np.int64)

    return Attack("marking", trigger=trigger)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
@pytest.mark.parametrize(("threshold", "rate"), [(0.0, 3 / 4), (2.0, 2 / 4), (50.0, 0.0)])
def test_the_success_rate_is_the_share_of_triggered_examples_that_are_taken_for_the_target(
    threshold, rate, batch_size
):
    federation = Marked(2)
    settings = EvaluationSettings(1, False, batch_size, {"loss": False, "accuracy": True})
    parts, state = linear_parts(
        STRATEGIES["mean"](),
        federation=federation,
        runtime=Deciding(federation),
        evaluation=settings,
        adversary=Adversary(marking(), frozenset({0})),
    )
    state = replace(state, weights=np.array([threshold, 0, 0], np.float32))
    assert evaluation.evaluate(parts, state)["attack/success_rate"] == rate


def test_an_attack_without_a_trigger_has_no_success_rate():
    parts, state = attacked(sign_flip(), {0})
    assert set(evaluation.evaluate(parts, state)) == {"test/loss"}
