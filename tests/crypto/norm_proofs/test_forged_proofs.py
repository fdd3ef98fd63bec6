"""Forged proofs: both verifiers refuse each of them, for its own reason."""

import random

import numpy as np
import pytest
from proving import CONTEXT, accepted, claim, forged, plainly_holds, refusals

from fedcli.components.attacks.forged_proof import forged_proof
from fedcli.components.proofs.context import ProofContext
from fedcli.crypto.norm_proofs.commitments import add, commit
from fedcli.crypto.norm_proofs.curve import ORDER
from fedcli.crypto.norm_proofs.norm_statement import NormBound
from fedcli.crypto.norm_proofs.prover import prove

EQUATIONS = "the proof does not hold for this commitment, bound and context"
OPENS_A, OPENS_B = "a(x) does not open its commitment", "b(x) does not open its commitment"
PRODUCT = "the product of a(x) and b(x) is not the claimed one"
FIELD = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
SAID = {"run": "run", "round": 2, "model": bytes(32), "clip_norm": 1.0, "bits": 20}
OF_CLIENT = {"about": "update", "digest": bytes(32), "client": 3, "weight": 1.0}


def two_squares(target):
    """Field elements (a, b) with a^2 + b^2 = target modulo the order: a + ib = 1 and a - ib = target."""
    i = next(
        root for root in (pow(g, (ORDER - 1) // 4, ORDER) for g in range(2, 99)) if root * root % ORDER != 1
    )
    assert i * i % ORDER == ORDER - 1
    half = pow(2, -1, ORDER)
    return (1 + target) * half % ORDER, (1 - target) * half * pow(i, -1, ORDER) % ORDER


def context_of(said, of_client):
    return ProofContext(**said).encode(**of_client)


def negated(data, at):
    """The bytes with the sign of the point at `at` flipped."""
    return data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :]


def fails(reason, *shown):
    """Whether all bytes are well-formed and all three verifiers refuse, the second one because of this equation."""
    first, second = refusals(*shown).splitlines()
    return (first, second, plainly_holds(*shown)) == (f"{EQUATIONS}.", f"{reason}.", False)


def into_limit(z, limit):
    return max(-limit, min(limit, z))


# Values that are not what they should be.


def test_the_forger_can_also_be_honest():
    bound = NormBound(5, 60)
    accepted(bound, *forged([3, -4, 1, 2, 5], [2, 1, 0, 0], bound))


def test_one_unit_over_the_bound_is_refused_when_forced():
    bound = NormBound(3, 49)
    for squares in ([0, 0, 0, 0], [1, 0, 0, 0]):
        assert fails(PRODUCT, bound, *forged([3, -4, 5], squares, bound))


@pytest.mark.parametrize("shift", [1, -1])
def test_squares_that_are_one_off_are_refused(shift):
    bound = NormBound(3, 50 + 9 + shift)
    assert fails(PRODUCT, bound, *forged([3, -4, 5], [3, 0, 0, 0], bound))


def test_fifty_times_the_norm_wraps_around_without_projections_and_not_with_them():
    bound = {count: NormBound(6, 6 * 100, count) for count in (0, 309)}
    vector = [500, -500, 500, 500, -500, 500]
    squares = [*two_squares((600 - 6 * 500**2) % ORDER), 0, 0]
    assert sum(u * u for u in vector) == 50**2 * 600
    assert (sum(u * u for u in [*vector, *squares]) - 600) % ORDER == 0
    # Modulo the order everything is as it should be ...
    accepted(bound[0], *forged(vector, squares, bound[0]))
    # ... so that only the masked projections, which cannot be kept within their limit, tell.
    commitment, proof = forged(vector, squares, bound[309], into_limit)
    assert fails(PRODUCT, bound[309], commitment, proof)


@pytest.mark.parametrize(
    "vector", [[500, -500, 500, 500, -500, 500], [1 << 26], range(-900, 900, 40)], ids=len
)
def test_what_malicious_clients_forge_holds_without_projections_and_not_with_them(vector):
    entries = np.array(vector)
    commitment, opening = commit(entries)
    bound = {count: NormBound(entries.size, int(entries @ entries) // 50**2, count) for count in (0, 309)}
    proof = {count: forged_proof(bound[count], commitment.encoded, opening, CONTEXT) for count in bound}
    accepted(bound[0], commitment.encoded, proof[0])
    assert fails(PRODUCT, bound[309], commitment.encoded, proof[309])


def test_one_huge_entry_that_is_hidden_in_the_vector_is_refused():
    # u_0^2 = B^2 modulo the order, u_0 being the other root: the norm is B, and the entry is near the order.
    bound = {count: NormBound(4, 10, count) for count in (0, 309)}
    vector = [*two_squares(9), 0, 1]
    accepted(bound[0], *forged(vector, [0, 0, 0, 0], bound[0]))
    assert fails(PRODUCT, bound[309], *forged(vector, [0, 0, 0, 0], bound[309], into_limit))


def test_a_masked_projection_beyond_its_limit_is_refused():
    bound, commitment, _, proof = claim([1, 2, 3], slack=1)
    first = 48 * (1 + bound.mask_rows)
    for value in (bound.response_limit + 1, -bound.response_limit - 1, bound.mask_limit):
        data = bytearray(proof)
        data[first : first + bound.response_bytes] = value.to_bytes(bound.response_bytes, "big", signed=True)
        reasons = refusals(bound, commitment.encoded, bytes(data))
        assert f"masked projection 0 is {value}, beyond {bound.response_limit}" in reasons


def test_a_projection_that_is_not_the_vectors_is_refused():
    bound = NormBound(5, 60)
    shifted = forged([3, -4, 1, 2, 5], [2, 1, 0, 0], bound, lambda z, limit: z + 1)
    assert fails(PRODUCT, bound, *shifted)


@pytest.mark.parametrize("place", [21, 22, 23, 24, 29])
def test_padding_that_is_not_zero_is_refused(place):
    # 21 integers in 5 rows of 5: places 21 to 24 pad the vector, 25 to 28 are the four squares, 29 is their padding.
    vector, squares = [1] * 21, [0, 1, 0, 0]
    bound = NormBound(21, 23)
    accepted(bound, *forged(vector, [1, 1, 0, 0], bound))
    assert fails(PRODUCT, bound, *forged(vector, squares, bound, padding={place: 1}))


# Another commitment than the one that was proved.


def test_a_swapped_commitment_is_refused():
    bound, first, _, proof = claim([1, 2, 3], slack=1)
    second, opening = commit(np.array([1, 2, 3]))
    other = prove(bound, second, opening, CONTEXT)
    accepted(bound, first.encoded, proof)
    accepted(bound, second.encoded, other)
    assert fails(OPENS_A, bound, second.encoded, proof)
    assert fails(OPENS_A, bound, first.encoded, other)


def test_reordered_rows_of_a_commitment_are_refused():
    bound, commitment, _, proof = claim(range(9), slack=1)
    rows = [commitment.encoded[at : at + 48] for at in (0, 48, 96)]
    assert fails(OPENS_A, bound, b"".join([rows[1], rows[0], rows[2]]), proof)


def test_a_row_of_another_commitment_is_refused():
    bound, commitment, _, proof = claim(range(9), slack=1)
    other, _ = commit(np.arange(9))
    mixed = commitment.encoded[:48] + other.encoded[48:96] + commitment.encoded[96:]
    assert fails(OPENS_A, bound, mixed, proof)


def test_a_reblinded_commitment_is_refused():
    bound, commitment, _, proof = claim([1, 2, 3], slack=1)
    zero, _ = commit(np.zeros(3, np.int64))
    assert fails(OPENS_A, bound, add([commitment, zero]).encoded, proof)


def test_a_multiple_of_a_commitment_is_refused():
    bound, commitment, _, proof = claim([1, 2, 3], slack=1)
    assert fails(OPENS_A, bound, add([commitment], [50]).encoded, proof)
    assert fails(OPENS_A, bound, add([commitment], [-1]).encoded, proof)


# Another statement than the one that was proved.


@pytest.mark.parametrize(
    "context", [b"", CONTEXT + b" ", b"run 1, round 3, member 3", b"run 2, round 2, member 3"]
)
def test_a_replay_under_another_context_is_refused(context):
    bound, commitment, _, proof = claim([1, 2, 3], slack=1)
    assert fails(OPENS_A, bound, commitment.encoded, proof, context)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("run", "nur"), ("round", 3), ("model", b"1" + bytes(31)), ("clip_norm", 2.0), ("bits", 21)],
        *[("about", "noise"), ("digest", b"1" + bytes(31)), ("client", 4), ("weight", 0.5)],
    ],
)
def test_a_replay_for_anything_else_of_a_run_is_refused(run_claim, name, value):
    bound, commitment, proof = run_claim
    accepted(bound, commitment, proof, context_of(SAID, OF_CLIENT))
    said = {**SAID, **({name: value} if name in SAID else {})}
    of_client = {**OF_CLIENT, **({name: value} if name in OF_CLIENT else {})}
    assert fails(OPENS_A, bound, commitment, proof, context_of(said, of_client))


@pytest.fixture(scope="module")
def run_claim():
    bound, commitment, _, proof = claim(
        [1, -2, 3], slack=3, projections=5, context=context_of(SAID, OF_CLIENT)
    )
    return bound, commitment.encoded, proof


@pytest.mark.parametrize("squared", [18, 20])
def test_another_bound_is_refused(squared):
    bound, commitment, _, proof = claim([1, 2, 3], slack=5)
    other = NormBound(3, squared)
    assert (bound.squared, other.mask_limit) == (19, bound.mask_limit)
    assert fails(OPENS_A, other, commitment.encoded, proof)


@pytest.mark.parametrize(("size", "reason"), [(4, OPENS_A), (1, "is beyond 158329674399735")])
def test_another_size_is_refused(size, reason):
    bound, commitment, _, proof = claim([1, 2, 3], slack=1)
    other = NormBound(size, bound.squared)
    assert (other.rows, other.proof_bytes) == (bound.rows, bound.proof_bytes)
    assert reason in refusals(other, commitment.encoded, proof)


def test_another_number_of_projections_is_refused():
    bound, commitment, _, proof = claim([1, 2, 3], slack=1, projections=308)
    reasons = refusals(NormBound(3, bound.squared), commitment.encoded, proof)
    assert (
        f"has {bound.proof_bytes + bound.response_bytes + 3 * 48} bytes; received {bound.proof_bytes}"
        in reasons
    )


# Bytes that were changed on the way. Few projections make a short proof, each byte of which can be tried.


@pytest.fixture(scope="module")
def short():
    bound, commitment, _, proof = claim([1, -2, 3, 4, 5], slack=3, projections=5)
    return bound, commitment.encoded, proof


@pytest.mark.slow
def test_every_byte_of_a_proof_matters(short):
    bound, commitment, proof = short
    drawn = random.Random(1)
    for at in range(len(proof)):
        changed = bytearray(proof)
        changed[at] ^= 1 << drawn.randrange(8)
        refusals(bound, commitment, bytes(changed))


def test_every_byte_of_a_commitment_matters(short):
    bound, commitment, proof = short
    for at in range(len(commitment)):
        changed = bytearray(commitment)
        changed[at] ^= 1 << at % 8
        refusals(bound, bytes(changed), proof)


def test_bytes_of_a_whole_proof_matter():
    bound, commitment, _, proof = claim(range(-12, 13), slack=3)
    drawn = random.Random(2)
    for at in drawn.sample(range(len(proof)), 60):
        changed = bytearray(proof)
        changed[at] = (changed[at] + drawn.randrange(1, 256)) % 256
        refusals(bound, commitment.encoded, bytes(changed))


def test_every_truncation_and_extension_is_refused(short):
    bound, commitment, proof = short
    for data in [proof[:end] for end in range(len(proof))] + [
        proof + bytes(more) for more in (1, 31, 32, 48, 96)
    ]:
        assert f"has {len(proof)} bytes; received {len(data)}" in refusals(bound, commitment, data)
    assert "received 0" in refusals(bound, commitment, b"")
    assert refusals(bound, commitment, proof[1:] + b"\0")


def test_every_truncation_and_extension_of_a_commitment_is_refused(short):
    bound, commitment, proof = short
    for data in [commitment[:end] for end in range(len(commitment))] + [
        commitment + bytes(1),
        commitment * 2,
    ]:
        assert f"a commitment to 5 integers has {len(commitment)} bytes" in refusals(bound, data, proof)


def test_exchanged_parts_are_refused(short):
    bound, commitment, proof = short
    parts = [proof[at : at + 48] for at in range(0, len(proof), 48)]
    for at in range(len(parts) - 2):
        swapped = [*parts[:at], parts[at + 1], parts[at], *parts[at + 2 :]]
        if parts[at] != parts[at + 1]:
            refusals(bound, commitment, b"".join(swapped))


def test_every_point_is_refused_when_it_is_negated(short):
    bound, commitment, proof = short
    points = 1 + bound.mask_rows
    responses = bound.projections * bound.response_bytes
    starts = [48 * index for index in range(points)]
    starts += [48 * (points + index) + responses for index in range(2 + 2 * bound.terms)]
    for at in starts:
        assert fails(OPENS_A, bound, commitment, negated(proof, at))
    for at in range(0, len(commitment), 48):
        assert fails(OPENS_A, bound, negated(commitment, at), proof)


def test_every_scalar_that_is_one_off_fails_its_own_equation(short):
    bound, commitment, proof = short
    n = bound.columns
    reasons = [*[OPENS_A] * n, *[OPENS_B] * n, OPENS_A, OPENS_B, PRODUCT]
    for index, reason in enumerate(reasons):
        at = len(proof) - 32 * (len(reasons) - index)
        value = (int.from_bytes(proof[at : at + 32], "big") + 1) % ORDER
        assert fails(reason, bound, commitment, proof[:at] + value.to_bytes(32, "big") + proof[at + 32 :])


@pytest.mark.parametrize(
    ("point", "sentence"),
    [
        (b"\xc0" + bytes(46) + b"\x01", "not in its canonical encoding"),
        (b"\xe0" + bytes(47), "not in its canonical encoding"),
        (b"\xff" * 48, "not in its canonical encoding"),
        (bytes(48), "not a point of the group"),
        (b"\x40" + bytes(47), "not a point of the group"),
        (b"\x80" + bytes(47), "not a point of the group"),
        ((1 << 383 | 1).to_bytes(48, "big"), "not a point of the group"),
        ((1 << 383 | 4).to_bytes(48, "big"), "not a point of the group"),
        ((1 << 383 | FIELD).to_bytes(48, "big"), "not a point of the group"),
        ((1 << 383 | (FIELD + 5)).to_bytes(48, "big"), "not a point of the group"),
    ],
    ids=[
        *[
            "neutral and more",
            "neutral with a sign",
            "all ones",
            "no flags",
            "neutral, not compressed",
            "of order 3",
        ],
        *["not on the curve", "not in the subgroup", "x is the field's order", "x is above it"],
    ],
)
def test_encodings_that_are_not_a_points_are_refused(short, point, sentence):
    bound, commitment, proof = short
    assert sentence in refusals(bound, commitment, point + proof[48:])
    assert sentence in refusals(bound, point + commitment[48:], proof)


def test_the_neutral_point_is_well_formed_and_proves_nothing(short):
    bound, commitment, proof = short
    assert fails(OPENS_A, bound, commitment, b"\xc0" + bytes(47) + proof[48:])


def test_a_scalar_that_is_not_reduced_is_refused(short):
    bound, commitment, proof = short
    for index in range(2 * bound.columns + 3):
        at = len(proof) - 32 * (index + 1)
        value = int.from_bytes(proof[at : at + 32], "big") + ORDER
        data = proof[:at] + value.to_bytes(32, "big") + proof[at + 32 :]
        assert "is not below the order of the group" in refusals(bound, commitment, data)
