"""Commitments in a round: the sum opens them, bits are those without proofs, and a wrong sum is never released."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from fakes import LinearFederation, MemoryStore, linear_parts
from proved import RUN, attached, parameters, proved, round_of, summed

from fedcli.components.proofs.context import ProofContext
from fedcli.components.proofs.prove import digest_of
from fedcli.components.proofs.statements import NormBounds
from fedcli.components.strategies import STRATEGIES
from fedcli.components.transforms import gaussian_noise
from fedcli.core.errors import ConfigError, InvalidUpdateError, VoidRoundError
from fedcli.core.rounds import Aggregate
from fedcli.core.vectors import digest
from fedcli.crypto.norm_proofs.commitments import Opening, add, check_opening, read_commitment
from fedcli.crypto.norm_proofs.norm_statement import NormBound
from fedcli.crypto.norm_proofs.verifier import verify
from fedcli.engine import loop
from fedcli.testing.changes import changed


@pytest.fixture(scope="module")
def honest():
    return round_of(proved(summed()))


@pytest.fixture(scope="module")
def noised():
    return round_of(proved(shares()), clients=2, reproducible_noise=True)


def shares():
    part = STRATEGIES["dp-distributed"]
    return part(clip_norm=2.0, contributors=2, noise_multiplier=0.5, delta=1e-3, bits=16)


def central(strategy=None):
    strategy = strategy or summed(max_examples=None)
    grid = strategy.transforms[-1].grid
    noise = gaussian_noise(noise_multiplier=1.0, clip_norm=grid.clip_norm).on_grid(grid)
    return strategy._replace(transforms=(*strategy.transforms, noise)), noise


def finished(strategy, **changes):
    """One whole round: its state, record and evidence."""
    parts, state = linear_parts(strategy, federation=LinearFederation(2), run_id=RUN, **changes)
    store = MemoryStore()
    state, record, _ = loop.next_round(parts, state, store, lambda _done, _planned: None)
    return state, record, store.evidence.get(1)


def decoded(round, desk=None, change=None):
    """The server's half of `commit` on what was accepted, after a change of the sum."""
    desk = desk or round.arrive()
    part = next(part for part in round.parts.strategy.transforms if part.name == "commit")
    total = sum(update.payload for update in round.updates)
    weight = sum(update.weight for update in round.updates)
    total = total if change is None else change(total.copy())
    aggregate = Aggregate(total, weight, tuple(desk.with_attachments))
    return part.decode(aggregate, round.state.transforms["commit"], round.context)[0]


def read(files, clients, size, per_client=1, server=0):
    """The commitments of a round's files, as points."""
    count = clients * per_client + server
    data = files["commitments.bin"]
    length = len(data) // count
    return [read_commitment(data[i * length : (i + 1) * length], size) for i in range(count)]


def opened(files):
    rows = [files["blindings.bin"][i : i + 32] for i in range(0, len(files["blindings.bin"]), 32)]
    vector = np.frombuffer(files["aggregate.bin"], "<i8").astype(np.int64)
    return Opening(vector, tuple(int.from_bytes(row, "big") for row in rows))


def test_a_round_with_proofs_moves_the_model_by_the_same_bits():
    plain, _, none = finished(summed())
    found, record, files = finished(proved(summed()))
    assert found.weights.tobytes() == plain.weights.tobytes()
    assert none is None
    assert record["clients/finished"] == 2
    assert {"proofs/bytes", "proofs/prove_seconds", "proofs/verify_seconds"} <= record.keys()
    check_opening(add(read(files, 2, 3)), opened(files))


def test_the_files_say_what_the_round_was(honest):
    aggregate = decoded(honest)
    files = aggregate.evidence
    said = parameters(files)
    entries = said.pop("clients")
    assert said == {
        "protocol": 1,
        "run": RUN,
        "round": 1,
        "model": digest(honest.state.weights).hex(),
        "size": 3,
        "clip_norm": 10.0,
        "bits": 20,
        "max_examples": 6,
        "noise_squared": None,
        "central_noise_squared": None,
        "divisor": 2.5,
        "share": 1.0,
    }
    assert [entry["client"] for entry in entries] == [0, 1, 2]
    assert [entry["weight"] for entry in entries] == [4 / 6, 5 / 6, 1.0]
    assert [entry["num_examples"] for entry in entries] == [4, 5, 6]
    assert entries[0]["digest"] == digest_of(honest.updates[0]).hex()
    assert opened(files).vector.tolist() == aggregate.value.tolist()
    assert files["proofs.bin"] == b"".join(update.attachments["proof"] for update in honest.updates)


def test_the_files_alone_show_that_every_update_kept_its_bound(honest):
    files = decoded(honest).evidence
    said = parameters(files)
    made_for = ProofContext(
        said["run"], said["round"], bytes.fromhex(said["model"]), said["clip_norm"], said["bits"]
    )
    proofs = files["proofs.bin"]
    for entry, commitment in zip(said["clients"], read(files, 3, said["size"]), strict=True):
        bound = NormBound(said["size"], int(entry["weight"] * 2 ** said["bits"]) ** 2)
        proof, proofs = proofs[: bound.proof_bytes], proofs[bound.proof_bytes :]
        digest_sent = bytes.fromhex(entry["digest"])
        about = made_for.encode("update", digest_sent, client=entry["client"], weight=entry["weight"])
        verify(bound, commitment, proof, about)
    assert proofs == b""


def test_the_files_alone_give_the_next_model():
    parts, first = linear_parts(proved(summed()), federation=LinearFederation(2), run_id=RUN)
    store = MemoryStore()
    state, _, _ = loop.next_round(parts, first, store, lambda _done, _planned: None)
    said, total = parameters(store.evidence[1]), opened(store.evidence[1]).vector
    mean = total * (said["clip_norm"] / 2 ** said["bits"]) / said["divisor"]
    expected, _ = parts.strategy.server.apply(first.weights, mean, first.server, said["share"])
    assert state.weights.tobytes() == expected.tobytes() != first.weights.tobytes()


def test_what_a_client_attaches_unasked_is_in_no_file(honest):
    # Else nobody could read the commitments and proofs behind it.
    more = attached(attached(honest.updates[0], "noise_commitment", bytes(48)), "noise_proof", bytes(3))
    files = decoded(honest, honest.arrive(more)).evidence
    assert len(files["commitments.bin"]) == 3 * 48
    assert files["proofs.bin"] == b"".join(update.attachments["proof"] for update in honest.updates)


def test_the_payload_ends_in_the_blindings_and_is_not_told_apart_by_its_digest(honest):
    again = round_of(honest.parts.strategy)
    for one, other in zip(honest.updates, again.updates, strict=True):
        assert one.payload[:3].tolist() == other.payload[:3].tolist()
        assert one.payload.shape == (3 + 16,)
        assert one.attachments["digest"] != other.attachments["digest"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda payload: payload + np.eye(19, dtype=np.int64)[0], "do not open"),
        (lambda payload: payload + np.eye(19, dtype=np.int64)[18], "do not open"),
        (lambda payload: np.where(np.arange(19) == 3, 2**16, payload), "limbs of 16 bits"),
        (lambda payload: np.where(np.arange(19) == 3, -1, payload), "limbs of 16 bits"),
        (lambda payload: np.where(np.arange(19) == 0, -(2**63), payload), "the limit of commitments"),
        (lambda payload: payload[:-1], "of shape [18]; integers of shape [19]"),
        (lambda payload: payload.astype(np.float64), "a vector of float64"),
    ],
)
def test_a_payload_that_does_not_open_its_commitment_is_refused(honest, change, said):
    update = honest.updates[1]
    changed = replace(update, payload=change(update.payload))
    assert said in honest.refused(attached(changed, "digest", digest_of(changed)))


def test_a_client_that_is_dropped_from_the_sum_but_not_from_the_list_voids_the_round(honest):
    dropped = honest.updates[1].payload
    with pytest.raises(VoidRoundError, match="does not open the sum of their commitments"):
        decoded(honest, change=lambda total: total - dropped)


def test_a_client_that_is_in_the_sum_and_not_in_the_list_voids_the_round(honest):
    desk = honest.arrive()
    desk.with_attachments.pop()
    with pytest.raises(VoidRoundError):
        decoded(honest, desk)


@pytest.mark.parametrize("place", [0, 2, 3, 18])
def test_a_sum_that_is_off_by_one_anywhere_is_never_released(honest, place):
    with pytest.raises(VoidRoundError):
        decoded(honest, change=lambda total: total + (np.arange(19) == place))


def test_a_round_without_updates_leaves_the_model_and_no_files():
    nobody = proved(summed())
    parts, first = linear_parts(nobody, run_id=RUN)
    parts = changed(
        parts, cohort=parts.world.cohort._replace(sample=lambda _rng, _size, _state: np.zeros(0, np.int64))
    )
    store = MemoryStore()
    state, record, _ = loop.next_round(parts, first, store, lambda _done, _planned: None)
    assert state.weights is first.weights
    assert record["note"].startswith("no valid update")
    assert store.evidence == {1: {}}


def test_with_noise_of_the_clients_the_bits_are_the_same_and_both_commitments_are_opened(noised):
    plain, _, _ = finished(shares(), reproducible_noise=True)
    found, _, files = finished(proved(shares()), reproducible_noise=True)
    assert found.weights.tobytes() == plain.weights.tobytes()
    check_opening(add(read(files, 2, 3, per_client=2)), opened(files))
    said = parameters(files)
    assert said["divisor"] == 2.0
    bounds = NormBounds(
        noised.parts.strategy.transforms[1].grid, noised.parts.strategy.transforms[2].privacy.share_deviation
    )
    assert said["noise_squared"] == bounds.of_share(3).squared > 2**32


def test_noise_has_a_proof_of_its_own(noised):
    names = ["commitment", "digest", "noise_commitment", "noise_proof", "proof"]
    assert all(sorted(update.attachments) == names for update in noised.updates)
    update = noised.updates[0]
    for name in ("noise_commitment", "noise_proof"):
        assert f"without its {name}" in noised.refused(attached(update, name, None))
    swapped = attached(update, "noise_proof", update.attachments["proof"])
    assert "no valid proof" in noised.refused(swapped)


def test_noise_beyond_its_bound_is_not_sent(noised):
    part = next(part for part in noised.parts.strategy.transforms if part.name == "commit")
    long = np.full(3, 2**23)
    update = replace(noised.updates[0], payload=long + 1, private={"noise": long})
    with pytest.raises(InvalidUpdateError, match="longer than its provable bound"):
        part.encode(update, {}, noised.context)


def test_the_server_proves_its_noise_and_only_the_sum_with_it_is_written():
    strategy, noise = central()
    plain, _, _ = finished(strategy, reproducible_noise=True)
    found, _, files = finished(proved(strategy, noise=noise), reproducible_noise=True)
    exact, _, _ = finished(summed(max_examples=None))
    assert found.weights.tobytes() == plain.weights.tobytes() != exact.weights.tobytes()
    *clients, servers = read(files, 2, 3, server=1)
    check_opening(add([*clients, servers]), opened(files))
    said = parameters(files)
    bounds = NormBounds(strategy.transforms[0].grid, central_deviation=2.0**20)
    assert said["central_noise_squared"] == bounds.of_central_noise(3).squared
    proof = files["proofs.bin"][-bounds.of_central_noise(3).proof_bytes :]
    run = ProofContext(RUN, 1, bytes.fromhex(said["model"]), 10.0, 20)
    about = run.encode("central noise", hashlib.sha256(files["aggregate.bin"]).digest())
    verify(bounds.of_central_noise(3), servers, proof, about)


def test_an_empty_private_round_releases_noise_that_its_commitment_opens_to():
    strategy, noise = central()
    parts, first = linear_parts(proved(strategy, noise=noise), run_id=RUN)
    parts = changed(
        parts, cohort=parts.world.cohort._replace(sample=lambda _rng, _size, _state: np.zeros(0, np.int64))
    )
    store = MemoryStore()
    loop.next_round(parts, first, store, lambda _done, _planned: None)
    files = store.evidence[1]
    assert parameters(files)["clients"] == []
    check_opening(read(files, 0, 3, server=1)[0], opened(files))


@pytest.mark.parametrize(
    ("bounds", "key"),
    [
        (lambda grid: NormBounds(grid, share_deviation=2.0**20), "strategy.bits"),
        (lambda grid: NormBounds(grid, central_deviation=2.0**20), "fixed_point.bits"),
    ],
)
def test_noise_beyond_what_can_be_proved_is_refused_with_the_bits_that_would_do(bounds, key):
    grid = summed().transforms[0].grid
    made = bounds(grid)
    made.require_provable(3_000)
    with pytest.raises(ConfigError, match="noise on 60,000 weights") as caught:
        made.require_provable(60_000)
    assert caught.value.key == key
    assert "at most 18" in caught.value.hint
    less = made._replace(grid=grid._replace(bits=18))
    smaller = less._replace(
        share_deviation=made.share_deviation / 4,
        central_deviation=made.central_deviation and made.central_deviation / 4,
    )
    smaller.require_provable(60_000)
