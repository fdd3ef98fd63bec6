"""Whether the files of proofs are those that the checkpoints bind, and none is missing or added."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

from fedcli import evidence
from fedcli.verification.files import checked_files, strangers
from fedcli.verification.links import Link, Pair, read_link
from fedcli.verification.report import Finding

WHAT = "files of proofs"


def checked_evidence(run: Path, pairs: list[Pair]) -> Iterator[Finding]:
    """The folder of every round that the checkpoints bind, and those that none binds though it should."""
    kept = {evidence.round_folder(run, round).name: round for round in evidence.rounds(run / evidence.FOLDER)}
    yield from strangers(run, evidence.FOLDER, kept, what=WHAT)
    for pair in pairs:
        if pair.link.manifest is not None:
            yield from _checked(run, pair, pair.link.manifest.facts.get("evidence"), kept.values())


def _checked(run: Path, pair: Pair, bound: Any, kept: Iterable[int]) -> Iterator[Finding]:
    """The rounds from the checkpoint before to this one."""
    first = pair.before.round + 1 if pair.before else 1
    reached, bound = yield from _followed(run, pair.link.round, first, bound)
    for round in kept:
        if first <= round < reached:
            link = _read(run, round)
            yield from checked_files(run, link, what=WHAT, required=())
            if bound is None:
                yield _broken(
                    link.file,
                    round,
                    f"is bound by no checkpoint, and that of round {pair.link.round} follows",
                )


def _followed(run: Path, last: int, first: int, bound: Any) -> Generator[Finding, None, tuple[int, Any]]:
    """The rounds from `last` back to `first`, as far as each binds the one before it.

    Returns:
        The round that was reached, and what it binds.
    """
    for round in range(last, first - 1, -1):
        if bound is None:
            return round + 1, None
        link = _read(run, round)
        yield from checked_files(run, link, what=WHAT, required=())
        if link.manifest is None:
            return round, bound
        if link.digest != bound:
            yield _broken(link.file, round, f"is not the manifest that round {round} left behind")
            return round, bound
        bound = link.manifest.previous
    return first, bound


def _read(run: Path, round: int) -> Link:
    folder = evidence.round_folder(run / evidence.FOLDER, round)
    return read_link(run, folder, round=round, format=evidence.FORMAT)


def _broken(file: str, round: int, reason: str) -> Finding:
    return Finding(WHAT, round, file, holds=False, sentence=f"{file} {reason}.")
