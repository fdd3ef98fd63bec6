"""Whether the proofs of a round hold, and its published sum opens the sum of the commitments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fedcli.core import round_evidence
from fedcli.core.errors import ConfigError
from fedcli.core.proof_context import About
from fedcli.core.round_parameters import Parameters
from fedcli.core.vectors import Integers
from fedcli.crypto.proofs import independent
from fedcli.crypto.proofs.commitments import Opening
from fedcli.crypto.proofs.curve import SCALAR_BYTES, ProofError, decode_scalars
from fedcli.crypto.proofs.generators import layout
from fedcli.crypto.proofs.jobs import Statement, opens, refusals
from fedcli.crypto.proofs.norm_statement import NormBound
from fedcli.crypto.workers import spread
from fedcli.verification.report import Finding
from fedcli.verification.statements import Round

PROOFS = "proofs of bounded norms"
SUMS = "sums of commitments"
INDEPENDENT = "second verifier"
_LARGEST = 1 << 62
# Below so many bytes of proofs, starting other processes takes longer than it saves.
_SPREAD_BYTES = 4_000_000


class Shown(NamedTuple):
    """One proof of a round: of what, by whom, and where the statement is said."""

    whose: str
    statement: Statement


class Evidence(NamedTuple):
    """The binary files of a round, taken apart."""

    shown: list[Shown]
    opening: Opening


def checked_proofs(run: Path, round: Round, *, independently: bool) -> Iterator[Finding]:
    """Every proof, the sum, and if wanted both of them by the second verifier."""
    if round.said is None:
        return
    try:
        evidence = _read(round, round.said)
    except _Malformed as error:
        file = round.file(run, error.file)
        yield Finding(error.what, round.link.round, file, holds=False, sentence=f"{file} {error.reason}.")
        return
    yield from _held(run, round, evidence)
    yield _opened(run, round, evidence)
    if independently:
        yield from _held_again(run, round, evidence)


def read_sum(round: Round, size: int) -> Integers:
    """The published sum.

    Raises:
        ValueError: if it is not one of so many integers.
    """
    data = round.path(round_evidence.AGGREGATE).read_bytes()
    if len(data) != 8 * size:
        raise ValueError(f"has {len(data)} bytes; {size} integers have {8 * size}")
    vector = np.frombuffer(data, "<i8").astype(np.int64)
    if int(vector.max()) >= _LARGEST or int(vector.min()) <= -_LARGEST:
        raise ValueError("has integers that no sum of updates has")
    return vector


class _Malformed(Exception):
    """A file that cannot be taken apart."""

    def __init__(self, what: str, file: str, reason: str) -> None:
        super().__init__(reason)
        self.what, self.file, self.reason = what, file, reason


def _read(round: Round, said: Parameters) -> Evidence:
    try:
        vector = read_sum(round, said.size)
    except ValueError as error:
        raise _Malformed(SUMS, round_evidence.AGGREGATE, str(error)) from None
    return Evidence(_shown(round, said), Opening(vector, _blindings(round, said.size)))


def _blindings(round: Round, size: int) -> tuple[int, ...]:
    data, rows = round.path(round_evidence.BLINDINGS).read_bytes(), layout(size).rows
    if len(data) != SCALAR_BYTES * rows:
        reason = f"has {len(data)} bytes; {rows} blindings have {SCALAR_BYTES * rows}"
        raise _Malformed(SUMS, round_evidence.BLINDINGS, reason)
    try:
        return decode_scalars(data, name="blindings")
    except ProofError as error:
        raise _Malformed(SUMS, round_evidence.BLINDINGS, f"is refused: {_said(error)}") from None


def _shown(round: Round, said: Parameters) -> list[Shown]:
    try:
        claims = _claims(round, said)
    except ConfigError as error:
        # A bound that nothing can be proved of.
        raise _Malformed(
            PROOFS, round_evidence.PARAMETERS, f"is refused: {error.message}".rstrip(".")
        ) from None
    each = layout(said.size).encoded_bytes
    commitments = _pieces(round, round_evidence.COMMITMENTS, [each] * len(claims))
    proofs = _pieces(round, round_evidence.PROOFS, [bound.proof_bytes for _, bound, _ in claims])
    return [
        Shown(whose, Statement(bound, commitment, proof, context))
        for (whose, bound, context), commitment, proof in zip(claims, commitments, proofs, strict=True)
    ]


def _claims(round: Round, said: Parameters) -> list[tuple[str, NormBound, bytes]]:
    """Whose, what bound and what context, in the order of the files."""
    claims = []
    for each in said.clients:
        of: list[tuple[About, int]] = [("update", said.grid.bound_of(each.weight) ** 2)]
        if said.noise_squared is not None:
            of.append(("noise", said.noise_squared))
        for about, squared in of:
            context = said.context.encode(about, each.digest, client=each.client, weight=each.weight)
            claims.append((f"the {about} of client {each.client}", NormBound(said.size, squared), context))
    if said.central_noise_squared is not None:
        published = hashlib.sha256(round.path(round_evidence.AGGREGATE).read_bytes()).digest()
        context = said.context.encode("central noise", published)
        claims.append(("the server's noise", NormBound(said.size, said.central_noise_squared), context))
    return claims


def _pieces(round: Round, name: str, lengths: list[int]) -> list[bytes]:
    data, pieces, start = round.path(name).read_bytes(), [], 0
    if len(data) != sum(lengths):
        reason = f"has {len(data)} bytes; what {round_evidence.PARAMETERS} names has {sum(lengths)}"
        raise _Malformed(PROOFS, name, reason)
    for length in lengths:
        pieces.append(data[start : start + length])
        start += length
    return pieces


def _held(run: Path, round: Round, evidence: Evidence) -> Iterator[Finding]:
    statements = [each.statement for each in evidence.shown]
    large = sum(len(each.proof) for each in statements) >= _SPREAD_BYTES
    pieces = spread(refusals, statements) if large else [refusals(statements)]
    answers = [answer for piece in pieces for answer in piece]
    for each, answer in zip(evidence.shown, answers, strict=True):
        yield _finding(run, round, PROOFS, each.whose, answer)


def _opened(run: Path, round: Round, evidence: Evidence) -> Finding:
    commitments = [each.statement.commitment for each in evidence.shown]
    answer = opens(commitments, evidence.opening)
    file = round.file(run, round_evidence.AGGREGATE)
    sentence = f"{file} is not the sum of what the clients committed to: {answer}" if answer else ""
    return Finding(SUMS, round.link.round, file, answer is None, sentence)


def _held_again(run: Path, round: Round, evidence: Evidence) -> Iterator[Finding]:
    for whose, statement in evidence.shown:
        answer = None
        try:
            independent.verify(*statement)
        except ProofError as error:
            answer = str(error)
        yield _finding(run, round, INDEPENDENT, whose, answer)
    file, answer = round.file(run, round_evidence.AGGREGATE), None
    try:
        commitments = [each.statement.commitment for each in evidence.shown]
        independent.check_sum(commitments, evidence.opening.vector.tolist(), evidence.opening.blindings)
    except ProofError as error:
        answer = f"{file} is not the sum of what the clients committed to: {error}"
    yield Finding(INDEPENDENT, round.link.round, file, answer is None, answer or "")


def _finding(run: Path, round: Round, what: str, whose: str, answer: str | None) -> Finding:
    file = round.file(run, round_evidence.PROOFS)
    sentence = "" if answer is None else f"{file} has no valid proof about {whose}: {answer}"
    return Finding(what, round.link.round, file, answer is None, sentence)


def _said(error: ProofError) -> str:
    return str(error).removesuffix(".")
