"""Checks that the logs have the lines that they had when the checkpoints were written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fedcli.runs.verification.chain_links import Pair, trusted
from fedcli.runs.verification.report import Finding
from fedcli.store import directory
from fedcli.store.files import guarded, limits
from fedcli.store.files.guarded import FileRefused
from fedcli.store.files.logs import Mark, marks_at, to_mark
from fedcli.store.files.manifests import Manifest

WHAT = "lines of the logs"


def checked_logs(run: Path, pairs: list[Pair]) -> Iterator[Finding]:
    """Check every log up to each checkpoint."""
    rounds = [(link.round, manifest) for link, manifest in trusted(pairs)]
    last = [-1, *directory.finished_rounds(run)][-1]
    for log in directory.LOGS:
        yield from _checked(run / log, [(round, _mark(manifest, log)) for round, manifest in rounds], last)


def _checked(log: Path, marks: list[tuple[int, Mark | None]], last: int) -> Iterator[Finding]:
    """Check one log, up to the first difference: what comes after it cannot be checked."""
    try:
        found = marks_at(log, [mark.bytes for _, mark in marks if mark])
        size = guarded.size(log, below=log.parent, limit=limits.LOG)
    except FileRefused as error:
        yield _broken(log, marks[0][0] if marks else None, error.reason)
        return
    known, length = None, 0
    for round, mark in marks:
        if mark is None or found.get(mark.bytes) != mark:
            yield _broken(log, round, _difference(mark, size, known))
            return
        yield Finding(WHAT, round, log.name)
        known, length = round, mark.bytes
    # If the last checkpoint's manifest is damaged, what it covers is not known.
    if size > length and known == last:
        yield _behind(log, last, size - length)


def _difference(mark: Mark | None, size: int, known: int | None) -> str:
    if mark is None:
        return "has no length and SHA-256 in the manifest of this checkpoint"
    since = "" if known is None else f", and has those of round {known}"
    if size < mark.bytes:
        return f"has {size} bytes, of {mark.bytes} at this checkpoint: lines were removed{since}"
    return f"does not have the lines that it had at this checkpoint{since}"


def _behind(log: Path, round: int, size: int) -> Finding:
    sentence = (
        f"{log.name} has {size} bytes after the checkpoint of round {round}, which no checkpoint covers."
    )
    return Finding(WHAT, round, log.name, sentence=sentence)


def _broken(log: Path, round: int | None, reason: str) -> Finding:
    return Finding(WHAT, round, log.name, holds=False, sentence=f"{log.name} {reason}.")


def _mark(manifest: Manifest, log: str) -> Mark | None:
    marks = manifest.facts.get("logs")
    return to_mark(marks.get(log)) if isinstance(marks, dict) else None
