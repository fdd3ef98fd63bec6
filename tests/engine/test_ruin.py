"""Models that a round would ruin: the run ends by name, keeps what was before, and goes on once the fault is mended."""

import math
from dataclasses import replace

import numpy as np
import pytest
from fakes import SIZE, LinearFederation, LinearRuntime, MemoryStore, linear_parts
from hooked import hooks_of

from fedcli.components.attacks.attack import Adversary, Attack
from fedcli.components.devices import lognormal
from fedcli.components.strategies import STRATEGIES
from fedcli.core.errors import ClientError, RuinedModelError
from fedcli.core.transform import Transform
from fedcli.engine.loop import run_experiment
from fedcli.engine.ports import Observer
from fedcli.engine.setup import EvaluationSettings

HUGE = np.full(SIZE, 1e35, np.float32)


class Measured(LinearRuntime):
    """Its loss overflows where that of a network does: at the square of a huge weight in float32."""

    def measure(self, start, x, y):
        with np.errstate(over="ignore"):
            return {
                "loss": float(np.float32(abs(start.weights).max()) ** 2)
                + super().measure(start, x, y)["loss"]
            }


def parts_of(name="mean", *, payloads=None, rounds=3, strategy=None, **changes):
    federation = LinearFederation()
    strategy = strategy or STRATEGIES[name]()
    runtime = Measured(federation, payloads=payloads, by_examples=strategy.weighting == "examples")
    return linear_parts(strategy, federation=federation, runtime=runtime, rounds=rounds, **changes)


def in_round(number, payload, strategy=None, client=2):
    """The plain mean, and a client that sends this payload in this round."""

    def encode(update, _state, context):
        strikes = context.round == number and update.client in (
            client,
            update.client if client is None else client,
        )
        return replace(update, payload=payload) if strikes else update

    made = strategy or STRATEGIES["mean"]()
    return made._replace(transforms=(*made.transforms, Transform("mine", encode=encode)))


def ruined(parts, state, store=None):
    store = store or MemoryStore()
    with pytest.raises(RuinedModelError) as caught:
        run_experiment(parts, state, store, Observer(), hooks_of(parts))
    return str(caught.value), store


def finished(parts, state):
    after, _ = run_experiment(parts, state, MemoryStore(), Observer(), hooks_of(parts))
    return after


@pytest.mark.parametrize("name", ["mean", "weighted", "fedadam", "fedyogi", "fedavgm"])
def test_one_huge_update_ends_the_run_by_the_name_of_its_client(name):
    parts, state = parts_of(strategy=in_round(2, HUGE, STRATEGIES[name]()))
    told, store = ruined(parts, state)
    assert told.startswith("round 2: ")
    assert any(each in told for each in ("NaN or infinite values", "the model is ruined: "))
    assert (
        "The largest update is that of client 2, with values up to 1e+35; the median of 5 clients is " in told
    )
    assert told.endswith("a fault or an attack: clip the updates, or take a robust strategy.")
    assert [record["round"] for record in store.records] == [1]
    assert store.durable[-1].round == 1


def test_a_step_in_which_other_updates_are_lost_ends_the_run_although_its_loss_is_finite():
    federation = LinearFederation()
    strategy = in_round(2, HUGE)
    told, _ = ruined(*linear_parts(strategy, federation=federation, rounds=3))
    assert (
        "round 2: the model is ruined: a step of 2e+34 leaves weights in which other updates are lost" in told
    )
    assert "client 2, with values up to 1e+35" in told


def test_a_run_whose_component_is_mended_goes_on_to_the_same_bits():
    told, store = ruined(*parts_of(strategy=in_round(2, HUGE)))
    assert "round 2" in told
    whole = finished(*parts_of(strategy=in_round(99, HUGE)))
    parts, _ = parts_of(strategy=in_round(99, HUGE))
    assert np.array_equal(finished(parts, store.durable[-1]).weights, whole.weights)


def test_a_rule_that_drops_it_is_not_disturbed():
    parts, state = parts_of(strategy=in_round(2, HUGE, STRATEGIES["median"]()))
    assert finished(parts, state).round == 3


def test_rounds_since_the_last_checkpoint_are_kept():
    told, store = ruined(*parts_of(strategy=in_round(3, HUGE)), MemoryStore(every=10))
    assert "round 3" in told
    assert store.durable[-1].round == 2


def test_a_step_that_overflows_only_in_the_model_names_its_optimizer():
    made = STRATEGIES["mean"]()
    server = made.server._replace(
        apply=lambda weights, mean, server, _share: (
            (weights + np.where(mean, 1e308, 0)).astype(np.float32, casting="unsafe"),
            server,
        )
    )
    with np.errstate(over="ignore"):
        told, _ = ruined(*parts_of(strategy=made._replace(server=server)))
    assert f"round 1: after the step of the server optimizer {server.name} the model has NaN or inf" in told
    assert told.endswith("take a smaller learning rate of the clients or of the server.")


def test_a_state_of_the_server_that_overflows_is_told_although_the_model_is_finite():
    made = STRATEGIES["mean"]()
    server = made.server._replace(
        init=lambda weights: {"v": weights},
        apply=lambda weights, mean, state, _share: (weights, {"v": np.full(SIZE, np.inf, np.float32)}),
    )
    told, _ = ruined(*parts_of(strategy=made._replace(server=server)))
    assert told.startswith(
        f"round 1: after its step the state of the server optimizer {server.name} has NaN or"
    )


def test_a_ruined_model_is_found_in_a_round_that_is_not_evaluated():
    settings = EvaluationSettings(100, False, 3, {"loss": False})
    told, store = ruined(*parts_of(strategy=in_round(2, HUGE), evaluation=settings))
    assert "round 2: the model is ruined" in told
    assert "test/loss" not in store.records[0]


def test_a_round_without_a_finite_update_ends_the_run():
    everybody = {client: [math.nan] * SIZE for client in range(5)}
    told, store = ruined(*parts_of(payloads=everybody))
    assert told.startswith("round 1: the updates of all 5 clients have NaN or infinite values")
    assert store.records == []


def test_a_client_that_cannot_encode_what_is_not_finite_counts_as_well():
    strategy = STRATEGIES["mean"]()
    clip = STRATEGIES["dp-clipped"](clip_norm=1.0, noise_multiplier=0.0, delta=1e-5).transforms[0]
    everybody = {client: [math.nan] * SIZE for client in range(5)}
    told, _ = ruined(*parts_of(strategy=strategy._replace(transforms=(clip,)), payloads=everybody))
    assert told.startswith("round 1: the updates of all 5 clients")


def test_malicious_clients_among_themselves_end_nothing():
    everybody = {client: [math.nan] * SIZE for client in range(5)}
    adversary = Adversary(Attack("nothing"), frozenset(range(5)))
    parts, state = parts_of(payloads=everybody, adversary=adversary)
    assert np.array_equal(finished(parts, state).weights, state.weights)


def with_failing(failing, strategy=None, **changes):
    """Clients that raise an exception in their transform; all others send NaN."""

    def encode(update, _state, _context):
        if update.client in failing:
            raise KeyError("missing")
        return update

    made = strategy or STRATEGIES["mean"]()
    mine = Transform("mine", encode=encode)
    everybody = {client: [math.nan] * SIZE for client in range(5)}
    return parts_of(
        strategy=made._replace(transforms=(mine, *made.transforms)), payloads=everybody, **changes
    )


def test_one_attacker_does_not_keep_a_run_going_whose_honest_clients_all_fail():
    parts, state = with_failing(range(4), adversary=Adversary(Attack("nothing"), frozenset({4})))
    said = (
        "round 1, client 0: .*\n.*\n  Of 5 clients of the round 4 failed, and 1 sent NaN or infinite values."
    )
    with pytest.raises(ClientError, match=said):
        finished(parts, state)


def test_a_client_that_diverged_does_not_hide_why_all_others_failed():
    with pytest.raises(
        ClientError, match="round 1, client 0: the transform mine failed: KeyError: 'missing'"
    ):
        finished(*with_failing(range(4)))


def test_a_private_run_whose_clients_failed_or_diverged_ends_as_one_whose_clients_failed():
    private = STRATEGIES["dp-clipped"](clip_norm=1.0, noise_multiplier=0.0, delta=1e-5)
    with pytest.raises(ClientError, match="round 1, client 0: the transform mine failed"):
        finished(*with_failing(range(4), private))


def test_asynchronous_rounds_end_as_well():
    strategy = in_round(2, HUGE, STRATEGIES["fedbuff"](buffer_size=5), client=None)
    told, _ = ruined(*parts_of(strategy=strategy, devices=lognormal()))
    assert told.startswith("round 2: ")


@pytest.mark.parametrize("reproducible", [False, True])
def test_a_private_run_names_no_client_and_its_charged_round_is_void_at_once(reproducible):
    private = STRATEGIES["dp-clipped"](clip_norm=1.0, noise_multiplier=0.0, delta=1e-5)
    calls = []

    def apply(weights, mean, state, share):
        calls.append(share)
        moved, state = private.server.apply(weights, mean, state, share)
        return (moved * np.float32(np.inf) if len(calls) == 2 else moved), state

    mechanism = private._replace(server=private.server._replace(apply=apply))
    parts, state = parts_of(strategy=mechanism, reproducible_noise=reproducible)
    with np.errstate(invalid="ignore"):
        told, store = ruined(parts, state)
    assert "client " not in told
    assert store.charges == [1, 2]
    # Noise from the seed gives the same release again, so that the round is repeated.
    assert store.durable[-1].releases == (1 if reproducible else 2)
    after, _ = run_experiment(parts, store.durable[-1], store, Observer(), hooks_of(parts))
    assert (after.round, after.releases) == (3, 3)
    assert [record.get("note", "")[:5] for record in store.records] == [
        "",
        "" if reproducible else "void:",
        "",
    ]
