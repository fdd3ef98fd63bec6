"""What runs in other processes (`crypto/workers.py`): bytes and arrays in, bytes and reasons out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from fedcli.crypto.norm_proofs.commitments import (
    Integers,
    Opening,
    add,
    check_opening,
    commit,
    read_commitment,
)
from fedcli.crypto.norm_proofs.curve import ProofError
from fedcli.crypto.norm_proofs.prover import prove
from fedcli.crypto.norm_proofs.statement import NormBound, read_proof
from fedcli.crypto.norm_proofs.verifier import Claim, all_hold, check

Result = TypeVar("Result")


class Committed(NamedTuple):
    """A commitment as bytes, and what opens it."""

    commitment: bytes
    opening: Opening


class Statement(NamedTuple):
    """What a prover shows, in its own bytes: that what is committed to keeps the bound, for the context."""

    bound: NormBound
    commitment: bytes
    proof: bytes
    context: bytes


def timed(work: Callable[..., Result], *args: Any) -> tuple[Result, float]:
    """What `work` returns, and its seconds here, without those that it waited for a process."""
    begun = time.perf_counter()
    result = work(*args)
    return result, time.perf_counter() - begun


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
    """For each statement why it is refused, or None: in one batch, and one by one where the batch fails."""
    claims: list[Claim | str] = [_read(statement) for statement in statements]
    if all_hold([claim for claim in claims if isinstance(claim, Claim)]):
        return [None if isinstance(claim, Claim) else claim for claim in claims]
    return [_refusal(claim) if isinstance(claim, Claim) else claim for claim in claims]


def opens(commitments: Sequence[bytes], opening: Opening) -> str | None:
    """Why a vector with blindings does not open the sum of commitments, or None."""
    try:
        size = opening.vector.size
        check_opening(add([read_commitment(data, size) for data in commitments]), opening)
    except ProofError as error:
        return str(error)
    return None


def open_each(pairs: Sequence[tuple[Sequence[bytes], Opening]]) -> list[str | None]:
    """`opens` for each pair."""
    return [opens(commitments, opening) for commitments, opening in pairs]


def _read(statement: Statement) -> Claim | str:
    bound, commitment, proof, context = statement
    try:
        return Claim(bound, read_commitment(commitment, bound.size), read_proof(bound, proof), context)
    except ProofError as error:
        return str(error)


def _refusal(claim: Claim) -> str | None:
    try:
        check(claim)
    except ProofError as error:
        return str(error)
    return None
