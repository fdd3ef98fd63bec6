"""Tasks of commitments and proofs for worker processes (`crypto/workers.py`).

Arguments and results are bytes, arrays and sentences, because points of the curve library cannot be pickled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fedcli.crypto.norm_proofs.commitments import (
    Integers,
    Opening,
    add,
    check_opening,
    commit,
    read_commitment,
)
from fedcli.crypto.norm_proofs.curve import ProofError
from fedcli.crypto.norm_proofs.norm_statement import NormBound, read_proof
from fedcli.crypto.norm_proofs.prover import prove
from fedcli.crypto.norm_proofs.verifier import Claim, all_hold, check


class Committed(NamedTuple):
    """A commitment as bytes, and its opening."""

    commitment: bytes
    opening: Opening


class Statement(NamedTuple):
    """The claim that a committed vector keeps a bound, in the bytes that the prover sent, for one context."""

    bound: NormBound
    commitment: bytes
    proof: bytes
    context: bytes


def commit_to(vectors: Sequence[Integers]) -> list[Committed]:
    """A commitment to each vector."""
    made = [commit(vector) for vector in vectors]
    return [Committed(commitment.encoded, opening) for commitment, opening in made]


def prove_all(wanted: Sequence[tuple[NormBound, Committed, bytes]]) -> list[bytes]:
    """A proof for each bound, committed vector and context."""
    return [
        prove(bound, read_commitment(made.commitment, bound.size), made.opening, context)
        for bound, made, context in wanted
    ]


def refusals(statements: Sequence[Statement]) -> list[str | None]:
    """The reason for refusing each statement, or None."""
    claims: list[Claim | str] = []
    for bound, commitment, proof, context in statements:
        try:
            committed = read_commitment(commitment, bound.size)
            claims.append(Claim(bound, committed, read_proof(bound, proof), context))
        except ProofError as error:
            claims.append(str(error))
    # One batch is much cheaper than single checks, but only these can name the false statement.
    batch_holds = all_hold([claim for claim in claims if isinstance(claim, Claim)])
    reasons: list[str | None] = []
    for claim in claims:
        reason = claim if isinstance(claim, str) else None
        if isinstance(claim, Claim) and not batch_holds:
            try:
                check(claim)
            except ProofError as error:
                reason = str(error)
        reasons.append(reason)
    return reasons


def opens(commitments: Sequence[bytes], opening: Opening) -> str | None:
    """The reason why an opening does not open the sum of the commitments, or None if it does."""
    try:
        size = opening.vector.size
        check_opening(add([read_commitment(data, size) for data in commitments]), opening)
    except ProofError as error:
        return str(error)
    return None


def open_each(pairs: Sequence[tuple[Sequence[bytes], Opening]]) -> list[str | None]:
    """`opens` for each pair of commitments and opening."""
    return [opens(commitments, opening) for commitments, opening in pairs]
