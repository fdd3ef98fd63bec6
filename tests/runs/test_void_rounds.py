"""The engine where sums are encrypted: what it hands to the exchange, and rounds that end without a release."""

import numpy as np
import pytest
from fakes import (
    SIZE,
    LinearFederation,
    LinearRuntime,
    LiteralExchange,
    LiteralKeys,
    MemoryStore,
    linear_parts,
    literal_encryption,
)
from hooked import hooks_of

from fedcli.components.encryption.encrypt import encrypt
from fedcli.components.strategies import STRATEGIES
from fedcli.components.transforms import fixed_point
from fedcli.components.transforms.fixed_point import packed_bytes
from fedcli.core.errors import RuinedModelError
from fedcli.core.transform import Transform
from fedcli.engine import loop
from fedcli.engine.ports import Observer
from fedcli.engine.setup import Participation
from fedcli.testing.changes import changed


def counting():
    """A transform that counts the rounds that it decodes."""
    return Transform(
        "counting",
        init=lambda _size: {"rounds": 0},
        decode=lambda aggregate, state, _context: (aggregate, {"rounds": state["rounds"] + 1}),
        takes="integers",
        gives="integers",
    )


def encrypted(exchanges=None, *, private=False, payloads=None, min_clients=2, keys=None, **changes):
    """Parts of a run of three rounds over five clients, and the state before it."""
    name, given = "mean", {}
    if private:
        name = "dp-distributed"
        given = {"clip_norm": 2.0, "contributors": 2, "delta": 1e-5, "noise_multiplier": 0.5}
    strategy = STRATEGIES[name](**given)
    transforms = strategy.transforms if private else (*strategy.transforms, fixed_point(clip_norm=2.0))
    grid = next(part.grid for part in transforms if part.grid)
    part = encrypt(
        literal_encryption(min_clients),
        grid=grid,
        plain_bytes=lambda size: packed_bytes(size, grid.largest),
    )
    federation = LinearFederation()
    return linear_parts(
        strategy._replace(transforms=(*transforms, counting(), part)),
        federation=federation,
        runtime=LinearRuntime(
            federation, payloads=payloads, state=lambda round, _client, _old: {"round": round}
        ),
        keys=keys or LiteralKeys(exchanges),
        run_id="a run",
        **changes,
    )


def run(parts, state):
    store = MemoryStore()
    state, _ = loop.run_experiment(parts, state, store, Observer(), hooks_of(parts))
    return state, store


def test_the_exchange_is_told_the_cohort_a_context_of_its_own_and_the_size():
    keys = LiteralKeys()
    parts, state = encrypted(keys=keys, participation=Participation(dropout=0.3))
    run(parts, state)
    everybody = [0, 1, 2, 3, 4]
    assert keys.begun == [(round, everybody, "a run", SIZE) for round in (1, 2, 3)]


def test_a_sound_exchange_gives_the_mean_and_its_figures_are_recorded():
    parts, state = encrypted(payloads={client: float(client) / 8 for client in range(5)}, rounds=1)
    state, store = run(parts, state)
    assert state.weights.tolist() == [0.25] * SIZE
    assert store.records[0]["encryption/attempts"] == 1
    assert "note" not in store.records[0]


CLOSED = {
    "its sum stays closed": ({"void": "2 of 5 members are left"}, "2 of 5 members are left"),
    "a sum breaks while it is made": ({"breaks_at": 1}, "client 1 cannot be added"),
    "too few are accepted": (
        {"refuses": dict.fromkeys(range(4), "its digest does not match")},
        "1 updates arrived; a sum of at least 2 is released",
    ),
}


@pytest.mark.parametrize("behaviour", CLOSED)
def test_a_void_round_says_why_leaves_the_model_and_the_run_goes_on(behaviour):
    given, reason = CLOSED[behaviour]
    parts, state = encrypted({2: LiteralExchange(**given)})
    _, store = run(parts, state)
    assert [record.get("note") for record in store.records] == [None, f"void: {reason}", None]
    first, second, third = (each.weights for each in store.durable)
    assert np.array_equal(first, second)
    assert not np.array_equal(second, third)
    # Nothing was decoded, so that no transform's state moved either.
    assert [each.transforms["counting"]["rounds"] for each in store.durable] == [1, 1, 2]


@pytest.mark.parametrize("behaviour", CLOSED)
def test_everybody_is_on_record_in_a_void_round_and_goes_back_to_what_it_kept_before(behaviour):
    parts, state = encrypted({2: LiteralExchange(**CLOSED[behaviour][0])})
    _, store = run(parts, state)
    rows = [row for row in store.clients if row["round"] == 2]
    assert [row["client"] for row in rows] == [0, 1, 2, 3, 4]
    accepted = {row["client"] for row in rows if "reason" not in row}
    assert store.records[1]["clients/finished"] == len(accepted)
    # A control variate that moved would no longer fit the server's, which did not.
    kept = [{each["round"] for each in state.clients.values()} for state in store.durable]
    assert kept == [{1}, {1}, {3}]


def test_a_void_round_of_a_private_run_is_charged_before_anything_is_sent():
    parts, state = encrypted({2: LiteralExchange(void="nobody is left")}, private=True)
    after, store = run(parts, state)
    assert store.charges == [1, 2, 3]
    assert after.releases == 3
    assert store.records[1]["note"] == "void: nobody is left; the round is charged"
    assert store.records[1]["epsilon"] == 2


def test_a_refused_update_is_not_in_the_sum():
    payloads = {client: float(client) / 8 for client in range(5)}
    exchange = LiteralExchange(refuses={4: "its digest does not match"})
    parts, state = encrypted({1: exchange}, payloads=payloads, rounds=1)
    state, store = run(parts, state)
    assert sorted(exchange.added) == [0, 1, 2, 3]
    assert state.weights.tolist() == [6 / 32] * SIZE
    assert [row["reason"] for row in store.clients if "reason" in row] == ["its digest does not match"]


def test_a_ruined_run_names_no_client_by_the_size_of_its_ciphertext():
    parts, state = encrypted()
    server = parts.strategy.server._replace(
        apply=lambda weights, _mean, state, _share: (weights * np.float32(np.nan), state)
    )
    with pytest.raises(RuinedModelError, match="has NaN or infinite values") as caught:
        run(changed(parts, strategy=parts.strategy._replace(server=server)), state)
    assert "client " not in str(caught.value)
