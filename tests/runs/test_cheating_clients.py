"""Malicious clients that bend the protocol itself: what they run in a transform's place, what they send at the end."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import SIZE, LinearFederation, LinearRuntime, linear_parts

from fedcli.components.attacks.attack import Adversary, Attack
from fedcli.components.attacks.client_halves import bent
from fedcli.components.cohorts import full, uniform
from fedcli.components.strategies import STRATEGIES
from fedcli.core.errors import ConfigError, InvalidUpdateError
from fedcli.core.transform import Transform
from fedcli.engine.round import run_round
from fedcli.experiment.compatibility import attacks

CLIENTS = 4


def named(name):
    return lambda part: part.name == name


def one_round(parts, state):
    return run_round(parts, state, lambda _round: None, lambda _done, _planned: None)


def sealed():
    """A transform whose client half attaches what its server half asks for: the seal of a payload is its sum."""

    def encode(update, _state, _context):
        seal = update.payload.sum().tobytes()
        return replace(update, attachments={"seal": seal}, private={"why": "secret"})

    def admit(update, _state, _context):
        return None if update.attachments["seal"] == update.payload.sum().tobytes() else "the seal is broken"

    return Transform("seal", encode=encode, admit=admit)


def doubling():
    return Transform("double", encode=lambda update, _s, _c: replace(update, payload=2 * update.payload))


def attacked(attack, malicious, *transforms, num_clients=CLIENTS, **changes):
    federation = LinearFederation(num_clients)
    return linear_parts(
        STRATEGIES["mean"]()._replace(transforms=transforms),
        federation=federation,
        runtime=LinearRuntime(federation, payloads={k: float(k + 1) for k in range(num_clients)}),
        adversary=Adversary(attack, frozenset(malicious)),
        **changes,
    )


def tenfold(honest):
    def encode(update, state, context):
        sent = honest(update, state, context)
        return replace(sent, payload=10 * sent.payload)

    return encode


# --- what they run in a transform's place ----------------------------------------------------------------


def test_malicious_clients_run_what_the_attack_makes_of_the_transforms_and_honest_ones_do_not():
    attack = Attack("tenfold", cheat=lambda transforms: bent(transforms, named("double"), tenfold))
    parts, state = attacked(attack, {1}, doubling())
    after, _, _ = one_round(parts, state)
    assert after.weights.tolist() == [(2 + 40 + 6 + 8) / CLIENTS] * SIZE


def test_the_servers_halves_are_not_bent():
    attack = Attack("tenfold", cheat=lambda transforms: bent(transforms, named("seal"), tenfold))
    parts, state = attacked(attack, {1, 2}, sealed())
    after, record, rows = one_round(parts, state)
    assert after.weights.tolist() == [(1 + 4) / 2] * SIZE
    assert [row.get("reason") for row in rows] == [None, *["the seal is broken"] * 2, None]
    assert [row["client"] for row in rows if row.get("malicious")] == [1, 2]
    assert (record["clients/finished"], record["clients/rejected"]) == (2, 2)


def test_a_cheat_works_with_what_the_attack_makes_of_updates_too():
    attack = Attack(
        "both",
        collude=lambda own, _honest, _rng: [np.full(SIZE, 7, np.float32)] * len(own),
        cheat=lambda transforms: bent(transforms, named("double"), tenfold),
    )
    parts, state = attacked(attack, {0}, doubling())
    after, _, rows = one_round(parts, state)
    assert after.weights.tolist() == [(140 + 4 + 6 + 8) / CLIENTS] * SIZE
    assert [row["client"] for row in rows] == [1, 2, 3, 0]


def test_what_a_malicious_clients_software_refuses_is_a_rejection():
    def refusing(_honest):
        def encode(_update, _state, _context):
            raise InvalidUpdateError("there is no room for this")

        return encode

    attack = Attack("refusing", cheat=lambda transforms: bent(transforms, named("double"), refusing))
    parts, state = attacked(attack, {3}, doubling())
    _, _, rows = one_round(parts, state)
    assert [row.get("reason") for row in rows] == [None, None, None, "there is no room for this"]


def test_what_an_attack_keeps_is_a_clients_own_state():
    """It lies where every client's state does, so that a resumed run has it; a refused client's is the one before."""

    def remembering(honest):
        def encode(update, state, context):
            sent = honest(update, state, context)
            if "attack" in update.state:
                return replace(sent, payload=update.state["attack"]["payload"] + sent.payload)
            return replace(sent, state={"attack": {"payload": sent.payload}})

        return encode

    attack = Attack("remembering", cheat=lambda transforms: bent(transforms, named("seal"), remembering))
    parts, state = attacked(attack, {1}, sealed())
    state, _, _ = one_round(parts, state)
    assert {k: tree["attack"]["payload"].tolist() for k, tree in state.clients.items()} == {1: [2] * SIZE}
    state, _, rows = one_round(parts, state)
    assert rows[1]["reason"] == "the seal is broken"
    assert state.clients[1]["attack"]["payload"].tolist() == [2] * SIZE


# --- what they send at the end ---------------------------------------------------------------------------


def taking(calls):
    """Sends the first message that it sees, under its own number."""

    def intercept(own, honest, _rng):
        calls.append((own, honest))
        return [replace(honest[0], client=each.client) for each in own]

    return Attack("taking", intercept=intercept)


@pytest.mark.parametrize("workers", [1, 3])
def test_messages_are_seen_as_they_are_sent(executors, workers):
    calls = []
    parts, state = attacked(taking(calls), {0, 2}, doubling(), sealed(), executor=executors[workers])
    after, _, rows = one_round(parts, state)
    ((own, honest),) = calls
    assert [(each.client, each.payload.tolist()) for each in own] == [(0, [2] * SIZE), (2, [6] * SIZE)]
    assert [(each.client, each.payload.tolist()) for each in honest] == [(1, [4] * SIZE), (3, [8] * SIZE)]
    assert all(each.attachments["seal"] == each.payload.sum().tobytes() for each in honest)
    assert not any(each.private or each.state for each in honest)
    assert [row["client"] for row in rows] == [1, 3, 0, 2]
    assert after.weights.tolist() == [(4 + 8 + 4 + 4) / CLIENTS] * SIZE


def test_a_round_without_malicious_clients_intercepts_nothing():
    calls = []
    two_first = uniform(size=2)._replace(sample=lambda _rng, _population, _state: np.arange(2))
    parts, state = attacked(taking(calls), {3}, doubling(), cohort=two_first)
    after, _, _ = one_round(parts, state)
    assert calls == []
    assert after.weights.tolist() == [(2 + 4) / 2] * SIZE


def test_in_a_round_without_honest_clients_they_see_their_own():
    calls = []
    two_first = uniform(size=2)._replace(sample=lambda _rng, _population, _state: np.arange(2))
    parts, state = attacked(taking(calls), {0, 1}, doubling(), cohort=two_first)
    one_round(parts, state)
    ((own, honest),) = calls
    assert [each.client for each in own] == [each.client for each in honest] == [0, 1]


# --- where they have no meaning --------------------------------------------------------------------------


def refusal(attack, strategy):
    adversary = Adversary(attack, frozenset({1}))
    with pytest.raises(ConfigError) as caught:
        attacks.check(adversary, strategy, full(), ["accuracy"], num_clients=CLIENTS)
    assert caught.value.key.startswith("attack")
    assert caught.value.hint
    return caught.value.message


def test_an_attack_on_proofs_needs_proofs():
    attack, strategy = Attack("thief", on_proofs=True), STRATEGIES["mean"]()
    assert refusal(attack, strategy) == (
        "thief attacks the proofs that updates keep their bound, and this run has no proofs."
    )
    proved = strategy._replace(transforms=(Transform("prove", proves=True),))
    adversary = Adversary(attack, frozenset({1}))
    attacks.check(adversary, proved, full(), [], num_clients=CLIENTS)


def test_a_cheat_says_itself_where_it_has_no_meaning():
    def cheat(_transforms):
        raise ConfigError("there is nothing to bend.", key="when", hint="Bend something else.")

    assert refusal(Attack("bender", cheat=cheat), STRATEGIES["mean"]()) == "there is nothing to bend."


def test_messages_of_others_are_not_used_under_differential_privacy():
    private = STRATEGIES["dp-clipped"](clip_norm=1.0, noise_multiplier=1.0, delta=1e-5)
    assert "epsilon would be false" in refusal(taking([]), private)
