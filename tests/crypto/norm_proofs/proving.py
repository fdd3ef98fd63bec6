"""Helpers of the proof tests: fixed randomness, honest claims, and a call to both verifiers."""

import hashlib

import numpy as np
import pytest
import reference_proof as reference

from fedcli.crypto.norm_proofs import second_verifier
from fedcli.crypto.norm_proofs.commitments import commit, read_commitment
from fedcli.crypto.norm_proofs.curve import ORDER, ProofError
from fedcli.crypto.norm_proofs.norm_statement import NormBound
from fedcli.crypto.norm_proofs.prover import prove
from fedcli.crypto.norm_proofs.verifier import verify

CONTEXT = b"run 1, round 2, member 3"


def fixed_draws(seed):
    """A function `bound` -> integer in [0, bound), which gives the same numbers for the same seed."""
    count = 0

    def draw(bound):
        nonlocal count
        count += 1
        size = (bound.bit_length() + 7) // 8 + 16
        return int.from_bytes(hashlib.shake_256(b"%s %d" % (seed, count)).digest(size), "big") % bound

    return draw


def claim(vector, slack=0, projections=309, context=CONTEXT):
    """An honest (bound, commitment, opening, proof) for a vector."""
    vector = np.array(vector, np.int64)
    bound = NormBound(vector.size, int(vector @ vector) + slack, projections)
    commitment, opening = commit(vector)
    return bound, commitment, opening, prove(bound, commitment, opening, context)


def accepted(bound, commitment, proof, context=CONTEXT):
    verify(bound, read_commitment(commitment, bound.size), proof, context)
    second_verifier.verify(bound, commitment, proof, context)


def plainly_holds(bound, commitment, proof, context=CONTEXT):
    """The verdict of the tests' reference verifier on well-formed bytes."""
    statement = reference.Statement(bound.size, bound.squared, bound.projections)
    return reference.holds(statement, commitment, proof, context)


def refusals(bound, commitment, proof, context=CONTEXT):
    """The refusals of both verifiers as one text; fails if one of them accepts."""
    with pytest.raises(ProofError) as first:
        verify(bound, read_commitment(commitment, bound.size), proof, context)
    with pytest.raises(ProofError) as second:
        second_verifier.verify(bound, commitment, proof, context)
    return f"{first.value}\n{second.value}"


def forged(vector, squares, bound, forge_response=lambda z, limit: z, padding=None):
    """A commitment and a proof by the reference prover for any vector, squares and responses.

    Args:
        padding: {place in the padded vector: value}, for a vector that is longer than stated.
    """
    draw = fixed_draws(b"forger")
    statement = reference.Statement(bound.size, bound.squared, bound.projections)
    rows = reference.in_rows(statement, vector, squares)
    for place, value in (padding or {}).items():
        rows[place // statement.n][place % statement.n] = value
    rows = [[entry % ORDER for entry in row] for row in rows]
    *columns, h, _ = reference.points_of(statement.n)
    blindings = [draw(ORDER) for _ in range(statement.m)]
    committed = reference.encode(
        reference.combine([*columns, h], [*row, rho])
        for row, rho in zip(rows[: statement.m], blindings, strict=True)
    )
    return committed, reference.prove(
        statement, rows, blindings, committed, CONTEXT, draw, forge_response=forge_response
    )
