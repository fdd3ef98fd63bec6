"""Proofs and encryption together: the bits of neither, and a ciphertext of something else is never released."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import LinearFederation, MemoryStore, linear_parts
from proved import RUN, attached, parameters, proved, round_of, summed

from fedcli.components.encryption import ENCRYPTIONS
from fedcli.components.encryption.scheme import Sums
from fedcli.components.proofs.prove import digest_of
from fedcli.components.strategies import STRATEGIES
from fedcli.components.transforms import gaussian_noise
from fedcli.crypto.norm_proofs.commitments import Opening, add, check_opening, read_commitment
from fedcli.engine import loop

CLIENTS = 3


def encryption_of(name, bits, noise_tail=0):
    sums = Sums(
        num_clients=CLIENTS, most_summands=CLIENTS, bits=bits, noise_tail=noise_tail, root=7, rounds=3
    )
    parameters = {"committee": 3, "threshold": 2} if name == "threshold" else {}
    return ENCRYPTIONS[name](sums, **parameters)


def shares():
    made = STRATEGIES["dp-distributed"]
    return made(clip_norm=2.0, contributors=CLIENTS, noise_multiplier=0.5, delta=1e-3, bits=12)


def private():
    """Central noise on integers, as `fixed_point` puts it behind the clip."""
    grid = summed(max_examples=None)
    noise = gaussian_noise(noise_multiplier=1.0, clip_norm=10.0).on_grid(grid.transforms[0].grid)
    return grid._replace(transforms=(*grid.transforms, noise)), noise


def finished(strategy, encryption=None):
    keys = {} if encryption is None else {"keys": encryption.start(None)}
    parts, state = linear_parts(
        strategy, federation=LinearFederation(CLIENTS), run_id=RUN, reproducible_noise=True, **keys
    )
    store = MemoryStore()
    state, record, rows = loop.next_round(parts, state, store, lambda _done, _planned: None)
    assert all("reason" not in row for row in rows)
    return state, record, store.evidence.get(1)


@pytest.fixture(scope="module")
def sealed():
    """A round of proofs over ciphertexts, its sum not opened yet."""
    encryption = encryption_of("shared-key", 20)
    return round_of(proved(summed(), encryption=encryption), keys=encryption.start(None))


@pytest.mark.parametrize(
    ("strategy", "encryption"),
    [
        (summed, encryption_of("shared-key", 20)),
        (summed, encryption_of("secagg", 20)),
        # The limbs of blindings have more bits than the grid.
        (shares, encryption_of("threshold", 16, noise_tail=2**20)),
    ],
    ids=["shared-key", "secagg", "noise, threshold"],
)
def test_a_round_of_everything_moves_the_model_by_the_same_bits(strategy, encryption):
    plain, _, _ = finished(strategy())
    found, record, files = finished(proved(strategy(), encryption=encryption), encryption)
    assert found.weights.tobytes() == plain.weights.tobytes()
    assert record["bytes_up"] > CLIENTS * encryption.coded_bytes(3 + 16)
    data = files["commitments.bin"]
    commitments = [read_commitment(data[i : i + 48], 3) for i in range(0, len(data), 48)]
    assert len(commitments) == CLIENTS * (2 if parameters(files)["noise_squared"] else 1)
    vector = np.frombuffer(files["aggregate.bin"], "<i8").astype(np.int64)
    check_opening(add(commitments), Opening(vector, (int.from_bytes(files["blindings.bin"], "big"),)))


def test_noise_of_the_server_is_added_to_the_opened_sum_and_the_bits_are_the_same():
    strategy, noise = private()
    encryption = encryption_of("threshold", 20)
    plain, _, _ = finished(strategy)
    found, _, files = finished(proved(strategy, noise=noise, encryption=encryption), encryption)
    assert found.weights.tobytes() == plain.weights.tobytes()
    assert parameters(files)["central_noise_squared"] > 2**40


def test_what_is_sent_beside_a_ciphertext_is_what_is_sent_beside_integers(sealed):
    for update in sealed.updates:
        assert update.payload.dtype == np.uint8
        assert sorted(update.attachments) == ["commitment", "digest", "proof"]
        assert update.private == {}


def test_a_proof_is_bound_to_its_ciphertext(sealed):
    mine = sealed.updates[0]
    again = np.frombuffer(
        sealed.context.sessions["encrypt"].server.sender(mine.client).encrypt(np.arange(19))[0], np.uint8
    )
    changed = replace(mine, payload=again)
    assert "another payload" in sealed.refused(changed)
    assert "does not hold" in sealed.refused(attached(changed, "digest", digest_of(changed)))


def test_a_ciphertext_of_something_else_than_was_committed_to_voids_the_round():
    encryption = encryption_of("shared-key", 20)
    strategy = proved(summed(), encryption=encryption)
    place = [part.name for part in strategy.transforms].index("encrypt")
    sealing = strategy.transforms[place]

    def other(update, state, context):
        more = replace(update, payload=update.payload + (np.arange(19) == 0))
        return sealing.encode(more if update.client == 1 else update, state, context)

    transforms = [*strategy.transforms]
    transforms[place] = sealing._replace(encode=other)
    cheated = strategy._replace(transforms=tuple(transforms))
    state, record, files = finished(cheated, encryption)
    assert record["note"].startswith(
        "void: the sum of the updates does not open the sum of their commitments"
    )
    assert files == {}
    assert not state.weights.any()
