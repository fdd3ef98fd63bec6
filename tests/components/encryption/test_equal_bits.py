"""Whole runs: encryption changes no bit of a model, and a round whose sum stays closed is void and no more."""

from dataclasses import replace

import numpy as np
import pytest
from encrypted_runs import BITS, SCHEMES, SUMS, encryption_of, on_grid, parts_of, run
from fakes import SIZE, MemoryStore

from fedcli.components.cohorts import uniform
from fedcli.components.strategies import STRATEGIES
from fedcli.components.transforms import fixed_point
from fedcli.core import trees
from fedcli.core.transform import Transform
from fedcli.core.vectors import digest
from fedcli.crypto.bfv.plans import gaussian_tail
from fedcli.engine.setup import Participation
from fedcli.store.files import npz

FEW = {"2": [1, 2, 3, 4]}
"""In round 2 one of five members is left, of whom three open a sum."""


def noised(noise_multiplier=0.5):
    return STRATEGIES["dp-distributed"](
        clip_norm=2.0, contributors=2, delta=1e-5, noise_multiplier=noise_multiplier, bits=BITS
    )


def under_noise(name, **parameters):
    deviation = 0.5 * 2**BITS * np.sqrt(5 / 2)
    sums = SUMS._replace(noise_tail=gaussian_tail(deviation, SIZE * 3))
    return encryption_of(name, sums, **parameters)


def final(strategy, encryption=None, **changes):
    state, store = run(*parts_of(strategy, encryption, **changes))
    return digest(state.weights), [record["clients/finished"] for record in store.records]


@pytest.fixture(scope="module")
def in_the_clear():
    return {dropout: final(on_grid(), participation=Participation(dropout)) for dropout in (0.0, 0.2)}


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("name", SCHEMES)
def test_a_run_ends_with_the_same_weights_as_one_in_the_clear(name, dropout, in_the_clear, encryptions):
    # New keys each time: the model does not depend on them.
    found = final(on_grid(), encryptions[name], participation=Participation(dropout))
    assert found == in_the_clear[dropout]


def test_drop_outs_did_happen(in_the_clear):
    assert sum(in_the_clear[0.2][1]) < sum(in_the_clear[0.0][1]) == 15
    assert in_the_clear[0.2][0] != in_the_clear[0.0][0]


def test_members_may_be_away_and_fail_to_answer(in_the_clear):
    outages = {"1": [1, 2], "2": [4, 5], "3": [1, 5]}
    encryption = encryption_of("threshold", outages=outages)
    parts, state = parts_of(on_grid(), encryption)
    state, store = run(parts, state)
    assert digest(state.weights) == in_the_clear[0.0][0]
    assert [record["encryption/members_lost"] for record in store.records] == [2, 2, 2]


@pytest.mark.parametrize("name", SCHEMES)
def test_clients_noise_is_in_the_sum(name):
    plain = final(noised(), reproducible_noise=True)
    assert final(noised(), under_noise(name), reproducible_noise=True) == plain
    assert plain[0] != final(noised(0.0))[0]


def test_too_few_members_make_a_void_round_and_the_run_goes_on():
    parts, state = parts_of(on_grid(), encryption_of("threshold", outages=FEW))
    _, store = run(parts, state)
    notes = [record.get("note") for record in store.records]
    assert notes == [
        None,
        "void: 1 of the committee's 5 members are left, but 3 are needed: the sum is not decryptable",
        None,
    ]
    first, second, third = (digest(state.weights) for state in store.durable)
    assert first == second != third
    assert store.records[1]["clients/finished"] == 5
    assert store.records[1]["encryption/attempts"] == 0


def test_a_void_round_of_a_private_run_is_charged():
    parts, state = parts_of(noised(), under_noise("threshold", outages=FEW))
    after, store = run(parts, state)
    assert store.charges == [1, 2, 3]
    assert after.releases == 3
    assert store.records[1]["note"].endswith("the sum is not decryptable; the round is charged")
    assert store.records[1]["epsilon"] == 2


def centrally_noised():
    strategy = STRATEGIES["dp-clipped"](clip_norm=2.0, noise_multiplier=0.5, delta=1e-5)
    return strategy._replace(transforms=(*strategy.transforms, fixed_point(clip_norm=2.0, bits=BITS)))


@pytest.mark.parametrize("name", ["threshold", "secagg"])
def test_the_servers_noise_comes_on_top_of_the_opened_sum(name, encryptions):
    plain = final(centrally_noised(), reproducible_noise=True)
    assert final(centrally_noised(), encryptions[name], reproducible_noise=True) == plain


def test_a_void_round_under_the_servers_noise_is_charged_and_leaves_the_model():
    parts, state = parts_of(centrally_noised(), encryption_of("threshold", outages=FEW))
    after, store = run(parts, state)
    assert (store.charges, after.releases) == ([1, 2, 3], 3)
    assert store.records[1]["note"].endswith("the round is charged")
    first, second, _ = (digest(state.weights) for state in store.durable)
    assert first == second


def kept_and_read(kept):
    """Key material as it comes back from a file."""
    return trees.from_table(npz.from_bytes(npz.to_bytes(trees.to_table(kept))))


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("keeps", [False, True])
def test_a_run_resumes_behind_a_round_with_new_keys_and_with_kept_ones(name, keeps, in_the_clear):
    encryption = encryption_of(name)
    first = encryption.start(None)
    parts, state = parts_of(on_grid(), encryption, keys=first, rounds=1)
    _, store = run(parts, state)
    keys = encryption.start(kept_and_read(first.kept()) if keeps else None)
    parts, _ = parts_of(on_grid(), encryption, keys=keys)
    state, _ = run(parts, store.durable[-1], store)
    assert digest(state.weights) == in_the_clear[0.0][0]


def test_a_run_resumes_behind_a_void_round():
    encryption = encryption_of("threshold", outages=FEW)
    whole, _ = run(*parts_of(on_grid(), encryption))
    parts, state = parts_of(on_grid(), encryption, rounds=2)
    _, store = run(parts, state)
    parts, _ = parts_of(on_grid(), encryption)
    resumed, _ = run(parts, store.durable[-1], store)
    assert digest(resumed.weights) == digest(whole.weights)


def meddling(bad):
    """A transform behind the encryption: what `bad` makes of a client's bytes is sent in their place."""

    def encode(update, _state, context):
        sent = bad(update.client, update.payload.tobytes(), context)
        return replace(update, payload=np.frombuffer(sent, np.uint8))

    return Transform("meddling", encode=encode, takes="ciphertext", gives="ciphertext")


@pytest.mark.parametrize("name", SCHEMES)
def test_a_dishonest_client_is_recorded_and_the_sum_is_that_of_the_others(name, encryptions):
    earlier = {}

    def bad(client, sent, context):
        earlier.setdefault(client, sent)
        if client != 2:
            return sent
        return {1: sent[:-1], 2: sent[:70] + bytes([sent[70] ^ 1]) + sent[71:], 3: earlier[2]}[context.round]

    parts, state = parts_of(on_grid(), encryptions[name], behind=[meddling(bad)])
    after, store = run(parts, state)
    reasons = [row["reason"] for row in store.clients if "reason" in row]
    assert [row["client"] for row in store.clients if "reason" in row] == [2, 2, 2]
    assert all("digest does not match" in reason for reason in reasons[:2])
    assert "another" in reasons[2]
    assert [record["clients/rejected"] for record in store.records] == [1, 1, 1]

    def absent(update, _state, _context):
        return "left out" if update.client == 2 else None

    leaves_out = Transform("absent", admit=absent, takes="integers", gives="integers")
    strategy = on_grid()
    strategy = strategy._replace(transforms=(*strategy.transforms, leaves_out))
    others, _ = run(*parts_of(strategy))
    assert digest(after.weights) == digest(others.weights)


def test_a_cohort_too_small_to_mask_is_a_void_round():
    parts, state = parts_of(on_grid(), encryption_of("secagg"), cohort=uniform(size=2))
    after, store = run(parts, state, MemoryStore())
    assert digest(after.weights) == digest(state.weights)
    assert {record["note"] for record in store.records} == {
        "void: 0 updates arrived; a sum of at least 3 is released"
    }
    assert {row["reason"] for row in store.clients} == {"masking needs at least 3 parties; received 2"}
