"""Commitments and their sums: which openings are accepted and which are refused, by both libraries."""

import hashlib
import operator

import numpy as np
import pytest
import reference_proof as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from proving import fixed_draws

from fedcli.core.errors import ConfigError
from fedcli.crypto.norm_proofs import second_curve, second_verifier
from fedcli.crypto.norm_proofs.commitments import (
    Opening,
    add,
    check_opening,
    commit,
    in_rows,
    read_commitment,
)
from fedcli.crypto.norm_proofs.curve import ORDER, ProofError
from fedcli.crypto.norm_proofs.generators import generators, layout

LARGE = (1 << 62) - 1


def add_openings(openings, weights=None):
    """The opening of `add(commitments, weights)`."""
    factors = [1] * len(openings) if weights is None else weights
    vector = sum(weight * one.vector for weight, one in zip(factors, openings, strict=True))
    columns = zip(*(one.blindings for one in openings), strict=True)
    return Opening(vector, tuple(sum(map(operator.mul, factors, column)) % ORDER for column in columns))


def three():
    """Three vectors with their commitments and openings."""
    vectors = [
        np.array(entries) for entries in ([1, -2, 3, 4, 5, 6], [0, 0, 0, 0, 0, -7], [9, 9, 9, 9, 9, 9])
    ]
    commitments, openings = zip(*(commit(vector) for vector in vectors), strict=True)
    return vectors, list(commitments), list(openings)


def both_accept(commitments, opening, weights=None):
    check_opening(add(commitments, weights), opening)
    second_verifier.check_sum(
        [c.encoded for c in commitments], opening.vector.tolist(), opening.blindings, weights
    )


def both_refuse(commitments, opening, weights=None):
    with pytest.raises(ProofError, match="do not open the commitment"):
        check_opening(add(commitments, weights), opening)
    with pytest.raises(ProofError, match="the sum does not open"):
        second_verifier.check_sum(
            [c.encoded for c in commitments], opening.vector.tolist(), opening.blindings, weights
        )


@pytest.mark.parametrize(
    ("size", "expected"), [(1, (4, 1)), (16, (4, 4)), (17, (5, 4)), (20, (5, 4)), (21, (5, 5)), (26, (6, 5))]
)
def test_rows_are_as_long_as_there_are_many(size, expected):
    assert layout(size)[1:] == expected
    assert in_rows(np.ones(size, np.int64)).shape == expected[::-1]
    assert in_rows(np.ones(size, np.int64)).sum() == size


@settings(max_examples=20, deadline=None)
@given(entries=st.lists(st.integers(-LARGE, LARGE), min_size=1, max_size=30))
def test_a_commitment_is_the_plain_formula_and_its_opening_opens_it(entries):
    commitment, opening = commit(np.array(entries, np.int64))
    statement = reference.Statement(len(entries), 1)
    *columns, h, _ = reference.points_of(statement.n)
    rows = reference.in_rows(statement, entries, [])[:-1]
    plain = [
        reference.combine([*columns, h], [*row, rho])
        for row, rho in zip(rows, opening.blindings, strict=True)
    ]
    assert commitment.encoded == reference.encode(plain)
    both_accept([commitment], opening)
    assert read_commitment(commitment.encoded, len(entries)) == commitment


def test_a_commitment_hides_by_a_fresh_blinding_for_each_row():
    zeros = np.zeros(9, np.int64)
    (first, opening), (second, other) = commit(zeros), commit(zeros)
    assert len({*first.points, *second.points}) == 6
    assert len({*opening.blindings, *other.blindings}) == 6


def test_both_libraries_have_the_same_generators():
    ours, theirs = generators(5), second_curve.generators(5)
    assert ours.digest == theirs[3]
    encoded = [point.to_compressed_bytes() for point in (*ours.columns, ours.blinding, ours.value)]
    assert ours.digest == hashlib.sha512(b"".join(encoded)).digest()
    assert len(set(encoded)) == 7
    assert generators(4).columns == ours.columns[:4]


def test_hashing_to_the_curve_is_that_of_the_rfc():
    # RFC 9380, appendix J.9.1, message "abc": x of the point.
    from py_arkworks_bls12381 import G1Point

    domain = b"QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_"
    x = "03567bc5ef9c690c2ab2ecdf6a96ef1c139cc0b2f284dca0a9a7943388a49a3aee664ba5379a7655d3c68900be2f6903"
    assert G1Point.hash_to_curve(b"abc", domain).to_xy_bytes_be()[:48].hex() == x


def test_the_sum_of_commitments_opens_to_the_sum():
    vectors, commitments, openings = three()
    total = add_openings(openings)
    assert total.vector.tolist() == sum(vectors).tolist()
    both_accept(commitments, total)


@pytest.mark.parametrize("weights", [[1, 1, 1], [3, 0, 10], [2, -1, 600_000]])
def test_the_weighted_sum_of_commitments_opens_to_the_weighted_sum(weights):
    vectors, commitments, openings = three()
    total = add_openings(openings, weights)
    assert total.vector.tolist() == sum(w * v for w, v in zip(weights, vectors, strict=True)).tolist()
    both_accept(commitments, total, weights)


@pytest.mark.parametrize("place", range(6))
def test_a_tampered_sum_is_refused(place):
    _, commitments, openings = three()
    total = add_openings(openings)
    changed = total.vector.copy()
    changed[place] += 1
    both_refuse(commitments, total._replace(vector=changed))


def test_entries_that_were_exchanged_between_rows_or_columns_are_refused():
    _, commitments, openings = three()
    total = add_openings(openings)
    for order in ([4, 1, 2, 3, 0, 5], [1, 0, 2, 3, 4, 5]):
        both_refuse(commitments, total._replace(vector=total.vector[order]))


@pytest.mark.parametrize("place", [0, 1])
def test_a_tampered_blinding_is_refused(place):
    _, commitments, openings = three()
    total = add_openings(openings)
    changed = list(total.blindings)
    changed[place] = (changed[place] + 1) % ORDER
    both_refuse(commitments, total._replace(blindings=tuple(changed)))
    both_refuse(commitments, total._replace(blindings=total.blindings[::-1]))


@pytest.mark.parametrize("off", [ORDER, -ORDER])
def test_a_blinding_that_is_not_reduced_is_refused(off):
    _, commitments, openings = three()
    total = add_openings(openings)
    written = total._replace(blindings=(total.blindings[0] + off, *total.blindings[1:]))
    with pytest.raises(ProofError, match="blinding 0 is not below the order of the group"):
        check_opening(add(commitments), written)
    with pytest.raises(ProofError, match="a blinding is not below the order of the group"):
        second_verifier.check_sum(
            [c.encoded for c in commitments], written.vector.tolist(), written.blindings
        )


@pytest.mark.parametrize("claimed", [[3, 1, 3], [2, 1, 2], [1, 2, 3], None])
def test_tampered_weights_are_refused(claimed):
    _, commitments, openings = three()
    both_refuse(commitments, add_openings(openings, [3, 1, 2]), claimed)


def test_a_dropped_summand_that_was_left_in_the_sum_is_refused():
    _, commitments, openings = three()
    both_refuse(commitments[:2], add_openings(openings))
    both_refuse(commitments, add_openings(openings[:2]))
    both_accept(commitments[:2], add_openings(openings[:2]))


def test_a_summand_that_counts_twice_is_refused():
    _, commitments, openings = three()
    both_refuse(commitments, add_openings([*openings, openings[0]]))


def test_an_opening_of_another_length_is_refused():
    _, commitments, openings = three()
    short = openings[0]._replace(vector=openings[0].vector[:4])
    with pytest.raises(ProofError, match="4 integers have 1 rows; received 2 committed rows and 2 blindings"):
        check_opening(commitments[0], short)
    with pytest.raises(ProofError, match="2 blindings"):
        second_verifier.check_sum([commitments[0].encoded], [1, 2, 3, 4], openings[0].blindings)
    with pytest.raises(ProofError, match="have 96 bytes"):
        second_verifier.check_sum([commitments[0].encoded[:48]], [1] * 6, openings[0].blindings)


def test_sums_need_commitments_of_one_length_and_a_weight_for_each():
    _, commitments, openings = three()
    other, _ = commit(np.array([1]))
    for wrong in ([], [commitments[0], other]):
        with pytest.raises(ProofError, match="all of equal length; received"):
            add(wrong)
    with pytest.raises(ProofError, match="3 commitments and 2 weights"):
        add(commitments, [1, 2])
    with pytest.raises(ProofError, match="3 commitments, 2 weights"):
        second_verifier.check_sum([c.encoded for c in commitments], [1] * 6, openings[0].blindings, [1, 2])


@pytest.mark.parametrize(
    ("vector", "sentence"),
    [
        (np.array([1.5]), "received float64"),
        (np.array([[1]]), r"of shape \(1, 1\)"),
        (np.array([1 << 62]), "below 2\\^62"),
        (np.array([-(1 << 63)]), "below 2\\^62"),
        (np.array([], np.int64), "at least 1 entry"),
    ],
    ids=["floats", "matrix", "large", "smallest", "empty"],
)
def test_vectors_that_cannot_be_committed_to_are_refused(vector, sentence):
    with pytest.raises(ConfigError, match=sentence):
        commit(vector)


@pytest.mark.parametrize("entry", [1 << 62, -(1 << 63)])
def test_a_vector_that_nobody_can_have_committed_to_does_not_open_anything(entry):
    commitment, opening = commit(np.array([1]))
    with pytest.raises(ProofError, match="below 2\\^62"):
        check_opening(commitment, opening._replace(vector=np.array([entry])))


@pytest.mark.parametrize("size", [0, 47, 49, 96, 144])
def test_a_commitment_of_another_length_is_not_read(size):
    with pytest.raises(ProofError, match=f"has 48 bytes; received {size}"):
        read_commitment(bytes(size), 3)


def test_fixed_blindings_are_those_of_the_draw():
    plain = fixed_draws(b"x")
    _, opening = commit(np.arange(9), fixed_draws(b"x"))
    assert opening.blindings == tuple(plain(ORDER) for _ in range(3))
