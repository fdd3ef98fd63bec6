"""Honest proofs: both verifiers accept them, and their bytes are those of a plain prover."""

import hashlib

import numpy as np
import pytest
import reference_proof as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from proving import CONTEXT, accepted, claim, fixed_draws, plainly_holds, refusals

from fedcli.components.attacks.forged_proof import forged_proof
from fedcli.core.errors import ConfigError
from fedcli.crypto.norm_proofs import prover
from fedcli.crypto.norm_proofs.commitments import commit, read_commitment
from fedcli.crypto.norm_proofs.curve import ORDER, ProofError
from fedcli.crypto.norm_proofs.four_squares import four_squares
from fedcli.crypto.norm_proofs.norm_statement import NormBound, read_proof
from fedcli.crypto.norm_proofs.prover import prove
from fedcli.crypto.norm_proofs.verifier import Claim, all_hold, check, verify

VECTORS = [[1], [0, 0, 0], [3, -4], [1, -2, 3, -4], [5] * 17, list(range(-20, 21))]


@settings(max_examples=12, deadline=None)
@given(
    vector=st.lists(st.integers(-(1 << 20), 1 << 20), min_size=1, max_size=60),
    slack=st.sampled_from([0, 1, 2, 7, 12345]),
)
def test_every_vector_within_its_bound_has_a_proof(vector, slack):
    bound, commitment, _, proof = claim(vector, slack)
    verify(bound, read_commitment(commitment.encoded, bound.size), proof, CONTEXT)
    assert len(proof) == bound.proof_bytes


@pytest.mark.parametrize("vector", VECTORS, ids=len)
def test_all_verifiers_accept(vector):
    bound, commitment, _, proof = claim(vector, slack=5)
    accepted(bound, commitment.encoded, proof)
    assert plainly_holds(bound, commitment.encoded, proof)


@pytest.mark.parametrize(
    ("vector", "squared"), [([0], 0), ([1], 1), ([0, -1, 0], 1), ([0, 0], 1), ([1, 1], 2)]
)
def test_the_smallest_bounds_are_proved(vector, squared):
    bound = NormBound(len(vector), squared)
    commitment, opening = commit(np.array(vector))
    accepted(bound, commitment.encoded, prove(bound, commitment, opening, CONTEXT))


def test_the_largest_entries_are_proved():
    bound, commitment, _, proof = claim([1 << 25, -(1 << 25), (1 << 25) - 1, 0, 0], slack=3)
    assert bound.squared > 3 << 49
    accepted(bound, commitment.encoded, proof)


def test_a_vector_of_some_thousand_entries_is_proved():
    vector = np.random.default_rng(5).integers(-300, 301, 2500)
    bound, commitment, _, proof = claim(vector, slack=1)
    accepted(bound, commitment.encoded, proof)


@pytest.mark.parametrize("vector", [[3, -4], list(range(-15, 16))], ids=len)
@pytest.mark.parametrize("slack", [0, 1, 1000])
def test_the_plain_prover_sends_the_same_bytes(vector, slack):
    entries = np.array(vector)
    bound = NormBound(entries.size, int(entries @ entries) + slack)
    draw, plain_draw = fixed_draws(b"same"), fixed_draws(b"same")
    commitment, opening = commit(entries, draw)
    proof = prove(bound, commitment, opening, CONTEXT, draw)

    statement = reference.Statement(bound.size, bound.squared)
    blindings = [plain_draw(ORDER) for _ in range(statement.m)]
    rows = reference.in_rows(statement, vector, four_squares(slack, plain_draw))
    *columns, h, _ = reference.points_of(statement.n)
    committed = reference.encode(
        reference.combine([*columns, h], [*row, rho]) for row, rho in zip(rows[:-1], blindings, strict=True)
    )
    assert commitment.encoded == committed
    assert proof == reference.prove(statement, rows, blindings, committed, CONTEXT, plain_draw)


def test_fixed_randomness_keeps_its_proof():
    draw = fixed_draws(b"golden")
    commitment, opening = commit(np.array([3, -1, 4, -1, 5, -9, 2, -6, 5, -3]), draw)
    bound = NormBound(10, 300)
    proof = prove(bound, commitment, opening, b"golden", draw)
    accepted(bound, commitment.encoded, proof, b"golden")
    digests = [hashlib.sha256(data).hexdigest() for data in (commitment.encoded, proof)]
    assert digests == [
        "71ffa03b58a09fcc0cc50e34eb775fdf0035a2cdc1a849131ec4df522660aefb",
        "83f8871d918053d0f7d8a73364b841d7542a6167cb854601ea44e4c81a789805",
    ]


@pytest.mark.parametrize("vector", VECTORS, ids=len)
def test_the_numbers_of_the_statement_are_those_of_the_plain_one(vector):
    bound = NormBound(len(vector), 7 + 13 * len(vector))
    plain = reference.Statement(bound.size, bound.squared)
    ours = [
        bound.columns,
        bound.rows,
        bound.mask_rows,
        bound.terms,
        bound.largest_projection,
        bound.mask_limit,
    ]
    assert ours == [plain.n, plain.m, plain.mask_rows, plain.terms, plain.largest, plain.mask_limit]
    assert [bound.response_limit, bound.response_bytes] == [plain.limit, plain.response_bytes]


def test_two_proofs_of_one_statement_share_nothing_that_is_random():
    bound, commitment, opening, first = claim([1, 2, 3])
    second = prove(bound, commitment, opening, CONTEXT)
    one, other = read_proof(bound, first), read_proof(bound, second)
    assert not set(one.responses) & set(other.responses)
    assert not set(one.a + one.b + one.blindings) & set(other.a + other.b + other.blindings)
    assert not set(one.coefficients.points) & set(other.coefficients.points)
    assert one.squares != other.squares


def test_an_attempt_whose_masks_would_tell_starts_again_with_fresh_ones():
    # The first mask is drawn at its limit, so that its projection goes beyond what may be published.
    vector = np.array([2, 2, 2])
    bound = NormBound(3, 12)
    commitment, opening = commit(vector)
    plain, drawn = fixed_draws(b"again"), []

    def draw(limit):
        drawn.append(limit)
        is_mask = limit == 2 * bound.mask_limit + 1
        return limit - 1 if is_mask and drawn.count(limit) <= bound.projections else plain(limit)

    proof = prove(bound, commitment, opening, CONTEXT, draw)
    assert drawn.count(2 * bound.mask_limit + 1) == 2 * bound.projections
    accepted(bound, commitment.encoded, proof)


def test_one_unit_over_the_bound_is_refused_by_the_prover():
    vector = np.array([3, -4, 5])
    commitment, opening = commit(vector)
    with pytest.raises(ProofError, match="squared norm is 1 above the bound 49"):
        prove(NormBound(3, 49), commitment, opening, CONTEXT)


def test_a_norm_that_overflows_is_refused_by_the_prover():
    vector = np.array([1 << 32] * 4)
    commitment, opening = commit(vector)
    with pytest.raises(ProofError, match=f"squared norm is {(1 << 66) - 49} above"):
        prove(NormBound(4, 49), commitment, opening, CONTEXT)


def test_an_opening_of_another_size_is_refused_by_the_prover():
    commitment, opening = commit(np.array([1, 2, 3]))
    with pytest.raises(ProofError, match="about 4 integers cannot be made from 3"):
        prove(NormBound(4, 49), commitment, opening, CONTEXT)


def test_a_proof_that_does_not_hold_is_never_sent(monkeypatch):
    # An opening of another commitment, and a fault in the arithmetic.
    commitment, opening = commit(np.array([1, 2, 3]))
    other, _ = commit(np.array([1, 2, 3]))
    with pytest.raises(ProofError, match="does not hold"):
        prove(NormBound(3, 14), other, opening, CONTEXT)
    honest = prover.coefficients_of
    monkeypatch.setattr(prover, "coefficients_of", lambda *args: honest(*args) | {1: 5})
    with pytest.raises(ProofError, match="does not hold"):
        prove(NormBound(3, 14), commitment, opening, CONTEXT)


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ((0, 4), "at least 1 entry; received 0"),
        ((3, -1), "between 0 and 2\\^52; received -1"),
        ((3, 1 << 52), "received 4503599627370496"),
        ((3, 4, -1), "must not be negative; received -1"),
        ((1 << 60, (1 << 52) - 1), "too many for the order of the group"),
    ],
)
def test_a_statement_out_of_range_is_refused(numbers, sentence):
    with pytest.raises(ConfigError, match=sentence):
        NormBound(*numbers)


def test_what_passes_the_projections_cannot_sum_to_the_order():
    bound = NormBound(1 << 26, (1 << 52) - 1)
    assert (bound.size + 4) * (4 * (bound.response_limit + 1)) ** 2 < ORDER
    assert (3 / 4) ** bound.projections < 2**-128


def claims_of(*vectors):
    made = [claim(vector, slack=2) for vector in vectors]
    return [
        Claim(bound, commitment, read_proof(bound, proof), CONTEXT) for bound, commitment, _, proof in made
    ]


def test_a_batch_says_yes_or_no_and_single_checks_say_who():
    claims = claims_of([1, 2, 3], [4, 5, 6], [0, 0, 9], [7, 7, 7])
    assert all_hold([])
    assert all_hold(claims)
    assert all_hold(claims[1:2])
    claims[2] = claims[2]._replace(context=b"another one")
    assert not all_hold(claims)
    with pytest.raises(ProofError, match="does not hold"):
        check(claims[2])
    for honest in (0, 1, 3):
        check(claims[honest])


def test_a_forged_proof_is_found_among_honest_ones_in_a_batch():
    honest = claims_of([1, 2, 3, 4, 5], [5, 4, 3, 2, 1])
    vector = np.array([500, -500, 500, 500, -500])
    commitment, opening = commit(vector)
    bound = NormBound(5, int(vector @ vector) // 50**2)
    proof = read_proof(bound, forged_proof(bound, commitment.encoded, opening, CONTEXT))
    assert all_hold(honest)
    assert not all_hold([honest[0], Claim(bound, commitment, proof, CONTEXT), honest[1]])


def test_two_false_proofs_cannot_make_up_for_each_other_in_a_batch():
    first, second = claims_of([1, 2, 3], [1, 2, 3])
    for sign, at in [(1, 0), (-1, 1)]:
        proof = (first, second)[at].proof
        shifted = (*proof.blindings[:2], (proof.blindings[2] + sign) % ORDER)
        if at == 0:
            first = first._replace(proof=proof._replace(blindings=shifted))
        else:
            second = second._replace(proof=proof._replace(blindings=shifted))
    assert not all_hold([first, second])


def test_a_batch_takes_bounds_that_differ_but_one_size():
    small, large = claims_of([1, 1, 1], [100, 200, 300])
    assert small.bound != large.bound
    assert all_hold([small, large])
    with pytest.raises(ProofError, match="of one size"):
        all_hold([small, *claims_of([1, 2])])


def test_a_commitment_with_rows_missing_is_no_claim():
    (whole,) = claims_of([1] * 9)
    cut = whole._replace(commitment=read_commitment(whole.commitment.encoded[:48], 4))
    assert not all_hold([cut])
    with pytest.raises(ProofError, match="has 3 rows; received 1"):
        check(cut)


def test_the_plain_verifier_refuses_what_both_others_refuse():
    bound, commitment, _, proof = claim([1, 2, 3], slack=2)
    statement = reference.Statement(3, bound.squared)
    last_response = 48 * (1 + bound.mask_rows) + 309 * bound.response_bytes - 1
    for at in (last_response, -10, -40, -100, -200):
        changed = bytearray(proof)
        changed[at] ^= 1
        refusals(bound, commitment.encoded, bytes(changed))
        assert not reference.holds(statement, commitment.encoded, bytes(changed), CONTEXT)
