"""Checks that the proofs of a round hold, and that its published sum opens the sum of the commitments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fedcli.components.proofs import evidence as files
from fedcli.crypto.norm_proofs import second_verifier
from fedcli.crypto.norm_proofs.curve import ProofError
from fedcli.crypto.norm_proofs.jobs import opens, refusals
from fedcli.crypto.workers import spread
from fedcli.runs.verification.proof_files import Evidence, Malformed, read_evidence
from fedcli.runs.verification.report import PROOFS, SUMS, Finding
from fedcli.runs.verification.round_statement import Round

INDEPENDENT = "second verifier"
_OF_PROOFS = (files.PARAMETERS, files.COMMITMENTS, files.PROOFS)
# For fewer bytes of proofs, starting other processes takes longer than it saves.
_SPREAD_BYTES = 500_000


def checked_proofs(run: Path, round: Round, *, independently: bool) -> Iterator[Finding]:
    """Check every proof and the sum, and if wanted both again with the second verifier."""
    if round.said is None:
        return
    try:
        evidence = read_evidence(round, round.said)
    except Malformed as error:
        file = round.file(run, error.file)
        yield Finding(
            PROOFS if error.file in _OF_PROOFS else SUMS,
            round.link.round,
            file,
            holds=False,
            sentence=f"{file} {error.reason}.",
        )
        return
    yield from _held(run, round, evidence)
    yield _opened(run, round, evidence)
    if independently:
        # Other code and another library: a fault of the first verifier is not one of the second.
        yield from _held_again(run, round, evidence)


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
    file = round.file(run, files.AGGREGATE)
    sentence = f"{file} is not the sum of what the clients committed to: {answer}" if answer else ""
    return Finding(SUMS, round.link.round, file, answer is None, sentence)


def _held_again(run: Path, round: Round, evidence: Evidence) -> Iterator[Finding]:
    for whose, statement in evidence.shown:
        answer = None
        try:
            second_verifier.verify(*statement)
        except ProofError as error:
            answer = str(error)
        yield _finding(run, round, INDEPENDENT, whose, answer)
    file, answer = round.file(run, files.AGGREGATE), None
    try:
        commitments = [each.statement.commitment for each in evidence.shown]
        second_verifier.check_sum(commitments, evidence.opening.vector.tolist(), evidence.opening.blindings)
    except ProofError as error:
        answer = f"{file} is not the sum of what the clients committed to: {error}"
    yield Finding(INDEPENDENT, round.link.round, file, answer is None, answer or "")


def _finding(run: Path, round: Round, what: str, whose: str, answer: str | None) -> Finding:
    file = round.file(run, files.PROOFS)
    sentence = "" if answer is None else f"{file} has no valid proof about {whose}: {answer}"
    return Finding(what, round.link.round, file, answer is None, sentence)
