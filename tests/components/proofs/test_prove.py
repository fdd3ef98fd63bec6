"""Proofs in a round: an honest one is accepted, and whatever else is shown is refused with its reason."""

from dataclasses import replace

import numpy as np
import pytest
from proved import attached, proved, round_of, summed

from fedcli.core.figures import joined


@pytest.fixture(scope="module")
def honest():
    return round_of(proved(summed()))


@pytest.fixture(scope="module")
def elsewhere_in_time(honest):
    """The same clients in the next round, from the same model."""
    return round_of(proved(summed()), round=2)


def test_honest_updates_are_accepted_and_carry_nothing_that_is_not_sent(honest):
    desk = honest.arrive()
    assert desk.num_accepted == 3
    assert all("reason" not in row for row in desk.rows)
    for update in honest.updates:
        assert update.private == {}
        assert sorted(update.attachments) == ["commitment", "digest", "proof"]


def test_what_is_attached_is_counted_as_sent(honest):
    planned = honest.parts.strategy.bytes_up(3)
    heaviest = honest.updates[2]
    assert heaviest.bytes_up == planned
    # Three integers of 22 bits, one blinding of 32 bytes.
    assert planned == 9 + 32 + sum(map(len, heaviest.attachments.values()))
    figures = joined(*(update.figures for update in honest.updates))
    assert figures["proofs/bytes"] == sum(
        len(data) for update in honest.updates for data in update.attachments.values()
    )
    assert figures["proofs/prove_seconds"] > 0


@pytest.mark.parametrize("name", ["commitment", "digest", "proof"])
def test_an_update_without_an_attachment_is_refused(honest, name):
    assert f"without its {name}" in honest.refused(attached(honest.updates[1], name, None))


def flipped(data, place):
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:-1], "bytes; received"),
        (lambda data: data + b"\0", "bytes; received"),
        (lambda data: b"", "bytes; received"),
        (lambda data: flipped(data, 5), "not a point"),
        (lambda data: flipped(data, -1), "does not hold"),
    ],
)
def test_a_changed_proof_is_refused_with_the_client_and_the_reason(honest, change, said):
    update = honest.updates[1]
    reason = honest.refused(attached(update, "proof", change(update.attachments["proof"])))
    assert "no valid proof for client 1 in round 1" in reason
    assert said in reason


def test_the_proof_of_another_client_is_refused(honest):
    mine, other = honest.updates[1], honest.updates[2]
    assert "no valid proof for client 1" in honest.refused(
        attached(mine, "proof", other.attachments["proof"])
    )


def test_everything_of_another_client_is_refused_under_ones_own_name(honest):
    stolen = replace(honest.updates[2], client=1)
    assert "no valid proof for client 1" in honest.refused(stolen)


def test_an_update_of_another_round_run_or_model_is_refused(honest, elsewhere_in_time):
    assert "does not hold" in honest.refused(elsewhere_in_time.updates[0])
    assert "does not hold" in elsewhere_in_time.refused(honest.updates[0])
    for changes in ({"run": "another run"}, {"model": bytes(32)}):
        moved = replace(honest, context=replace(honest.context, **changes))
        assert all("does not hold" in reason for reason in moved.reasons(*honest.updates))


def test_a_client_whose_update_is_beyond_its_bound_has_nothing_to_send():
    strategy = proved(summed())
    grid, *others = strategy.transforms

    def too_long(update, state, context):
        made = grid.encode(update, state, context)
        return replace(made, payload=made.payload + 2**20) if update.client == 1 else made

    cheated = strategy._replace(transforms=(grid._replace(encode=too_long), *others))
    kept, refused = round_of(cheated, clients=2).updates
    assert kept.attachments["proof"]
    assert refused.reason.startswith("no proof can be made: the squared norm is")


def test_a_weight_that_is_not_that_of_the_examples_is_refused(honest):
    assert "weight" in honest.refused(honest.updates[0], weight=1.0)
    # Both claimed: the bound and the context are then those of another weight.
    assert "does not hold" in honest.refused(honest.updates[0], weight=1.0, num_examples=6)


def test_a_negative_number_of_examples_is_no_way_around_the_bound(honest):
    # The bound is squared: a client that weighs -50 would prove one 50 times as large.
    grid = next(part.grid for part in honest.parts.strategy.transforms if part.grid)
    sent = replace(honest.updates[0], payload=np.array([50 * grid.largest, 0, 0]), weight=-50.0)
    sent = replace(sent, num_examples=-50 * grid.max_examples, attachments={})
    for part in honest.parts.strategy.transforms[1:]:
        sent = part.encode(sent, honest.state.transforms[part.name], honest.context)
    assert "has weight -50" in honest.refused(sent)
    assert "has examples -300" in honest.refused(replace(sent, weight=50.0))


def test_a_digest_of_another_payload_is_refused(honest):
    update = honest.updates[0]
    assert "another payload" in honest.refused(attached(update, "digest", bytes(32)))


def test_the_commitment_of_another_vector_is_refused(honest):
    update, other = honest.updates[0], honest.updates[1]
    moved = attached(update, "commitment", other.attachments["commitment"])
    assert "do not open" in honest.refused(moved)


def test_a_round_of_proofs_is_checked_in_blocks(honest):
    check = next(part for part in honest.parts.strategy.transforms if part.name == "prove")
    state = honest.state.transforms["prove"]
    assert check.admit_all(honest.updates, state, honest.context) == [None] * 3
    wrong = attached(honest.updates[1], "proof", honest.updates[0].attachments["proof"])
    answers = check.admit_all([honest.updates[0], wrong, honest.updates[2]], state, honest.context)
    assert [answer is None for answer in answers] == [True, False, True]
