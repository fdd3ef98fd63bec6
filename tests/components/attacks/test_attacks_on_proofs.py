"""Clients that cheat about their bound: each is refused by name, and the model is that of the honest ones."""

from functools import cache

import numpy as np
import pytest
from fakes import LinearFederation, LinearRuntime, linear_parts
from proved import proved, summed

from fedcli.components.attacks import ATTACKS
from fedcli.components.attacks.attack import Adversary
from fedcli.components.cohorts import full
from fedcli.components.encryption import shared_key
from fedcli.components.encryption.scheme import Sums
from fedcli.core.errors import ConfigError
from fedcli.engine.round import run_round
from fedcli.experiment.compatibility import attacks

CHEAT, CLIENTS = 1, 3
NOT_COMMITTED_TO = (
    "the update is not what it was committed to: the vector and its blindings do not open the commitment"
)
NO_PROOF = "no valid proof for client 1 in round {} of this run, from this model: the proof does not hold"
CASES = {
    "boost after": ("boost", {"when": "after"}, [NOT_COMMITTED_TO]),
    "wrap-around": ("wrap-around", {}, [NO_PROOF.format(1)]),
    "replay of a proof": ("replay", {}, [None, NOT_COMMITTED_TO]),
    "replay of a message": ("replay", {"what": "message"}, [None, NO_PROOF.format(2)]),
    "swap of a proof": ("swap", {}, [NOT_COMMITTED_TO]),
    "swap of a message": ("swap", {"what": "message"}, [NO_PROOF.format(1)]),
}


def rounds_of(num_rounds, attack=None, *, absent=(), encryption=None):
    """The state after some rounds, and of each its note and every client's reason; in some the cheat sends nothing."""
    federation = LinearFederation(CLIENTS)
    runtime = LinearRuntime(federation)
    adversary = Adversary(attack, frozenset({CHEAT})) if attack else None
    strategy, keys = proved(summed(), encryption=encryption), encryption and encryption.start(None)
    parts, state = linear_parts(
        strategy, federation=federation, runtime=runtime, adversary=adversary, keys=keys, run_id="r"
    )
    notes, rows = [], []
    for round in range(1, num_rounds + 1):
        runtime.payloads = {CHEAT: np.nan} if round in absent else {}
        state, record, told = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
        notes.append(record.get("note"))
        rows.append({row["client"]: row.get("reason") for row in told})
    return state, notes, rows


@cache
def honest_weights(num_rounds, absent):
    return rounds_of(num_rounds, absent=absent)[0].weights.tolist()


@pytest.mark.parametrize("case", CASES)
def test_it_is_named_and_the_model_is_that_of_the_honest_clients(case):
    name, parameters, expected = CASES[case]
    state, notes, rows = rounds_of(len(expected), ATTACKS[name](**parameters))
    for told, reason in zip(rows, expected, strict=True):
        found = told.pop(CHEAT)
        assert found is None if reason is None else found.startswith(reason)
        assert set(told.values()) == {None}
    assert set(notes) == {None}
    refused = tuple(round for round, reason in enumerate(expected, 1) if reason)
    assert state.weights.tolist() == honest_weights(len(expected), refused)


def test_an_update_boosted_before_the_bound_is_bounded_and_accepted():
    _, _, (told,) = rounds_of(1, ATTACKS["boost"](scale=1e6))
    assert told[CHEAT] is None


def test_what_is_replayed_lies_in_the_clients_own_state():
    state, _, _ = rounds_of(1, ATTACKS["replay"]())
    assert set(state.clients) == {CHEAT}
    assert sorted(state.clients[CHEAT]["replay"]["attachments"]) == ["commitment", "digest", "proof"]


# --- under encryption ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encryption():
    return shared_key(
        Sums(num_clients=CLIENTS, most_summands=CLIENTS, bits=20, noise_tail=0, root=7, rounds=3)
    )


def test_a_sum_that_opens_no_commitment_is_void_and_nobody_is_named(encryption):
    state, (note,), (told,) = rounds_of(1, ATTACKS["boost"](when="after"), encryption=encryption)
    assert note.startswith("void: the sum of the updates does not open the sum of their commitments")
    assert set(told.values()) == {None}
    assert not state.weights.any()


@pytest.mark.parametrize("name", ["wrap-around", "swap"])
def test_who_proves_something_else_is_named_though_nobody_can_read_what_it_sends(name, encryption):
    state, (note,), (told,) = rounds_of(1, ATTACKS[name](), encryption=encryption)
    # Which of a proof's many checks it fails depends on the weight of the client that it was made for.
    assert told.pop(CHEAT).startswith("no valid proof for client 1 in round 1 of this run, from this model: ")
    assert (note, set(told.values())) == (None, {None})
    assert state.weights.tolist() == honest_weights(1, (1,))


# --- where they have no meaning --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters", "key"),
    [
        ("wrap-around", {"scale": 1.0}, "scale"),
        ("wrap-around", {"scale": float("inf")}, "scale"),
        ("replay", {"what": "payload"}, "what"),
        ("swap", {"what": "payload"}, "what"),
    ],
)
def test_parameters_out_of_range_are_refused(name, parameters, key):
    with pytest.raises(ConfigError) as caught:
        ATTACKS[name](**parameters)
    assert caught.value.key == key


@pytest.mark.parametrize("name", ["wrap-around", "replay", "swap"])
def test_without_proofs_they_are_refused_with_the_way_out(name):
    adversary = Adversary(ATTACKS[name](), frozenset({CHEAT}))
    with pytest.raises(ConfigError, match="this run has no proofs") as caught:
        attacks.check(adversary, summed(), full(), [], num_clients=CLIENTS)
    assert "proofs: norm-bound" in caught.value.hint
    attacks.check(adversary, proved(summed()), full(), [], num_clients=CLIENTS)
