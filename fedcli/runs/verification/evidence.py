"""Checks that the files of proofs are those that the checkpoints bind, and that none is missing or added."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fedcli.runs.verification.chain_links import Link, Pair, read_link, trusted
from fedcli.runs.verification.files import checked_files, strangers
from fedcli.runs.verification.report import Finding, skipped
from fedcli.store import proof_files
from fedcli.store.files import guarded

WHAT = "files of proofs"


def is_kept(run: Path, pairs: Sequence[Pair]) -> bool:
    """Whether the run keeps evidence of its rounds: a folder of it exists, or a checkpoint binds it."""
    bound = any(manifest.facts.get("evidence") is not None for _, manifest in trusted(pairs))
    return bound or guarded.exists(run / proof_files.FOLDER, below=run)


def checked_evidence(run: Path, pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Check the folder of every round that the checkpoints bind, and find those that no checkpoint binds."""
    kept = {
        proof_files.round_folder(run, round).name: round
        for round in proof_files.rounds(run / proof_files.FOLDER)
    }
    yield from strangers(run, proof_files.FOLDER, kept, what=WHAT)
    for pair in pairs:
        if pair.link.manifest is not None:
            yield from _checked(run, pair, pair.link.manifest.facts.get("evidence"), kept.values())


def checked_behind(run: Path, last: int) -> Iterator[Finding]:
    """Check the files of rounds after the last checkpoint, which a stopped run leaves."""
    later = [round for round in proof_files.rounds(run / proof_files.FOLDER) if round > last]
    for round in later:
        yield from checked_files(run, read_round_link(run, round), what=WHAT, required=())
    if later:
        which = f"round {later[0]}" if len(later) == 1 else f"rounds {later[0]} to {later[-1]}"
        why = "no checkpoint follows; a resumed run does them again"
        yield skipped(WHAT, proof_files.FOLDER, f"the proofs of {which}", why)


def read_round_link(run: Path, round: int) -> Link:
    """The folder of a round, which may be missing."""
    folder = proof_files.round_folder(run / proof_files.FOLDER, round)
    return read_link(run, folder, round=round, format=proof_files.FORMAT)


def _checked(run: Path, pair: Pair, bound: Any, kept: Iterable[int]) -> Iterator[Finding]:
    """Check the rounds from the checkpoint before up to this one."""
    first = pair.before.round + 1 if pair.before else 1
    reached, bound = yield from _followed(run, pair.link.round, first, bound)
    for round in kept:
        if first <= round < reached:
            link = read_round_link(run, round)
            yield from checked_files(run, link, what=WHAT, required=())
            if bound is None:
                yield _broken(
                    link.file,
                    round,
                    f"is not bound by the checkpoint of round {pair.link.round}, which follows it",
                )


def _followed(run: Path, last: int, first: int, bound: Any) -> Generator[Finding, None, tuple[int, Any]]:
    """Check the rounds from `last` back to `first`, until one does not bind the round before it.

    Returns:
        The round that was reached, and the digest that it binds.
    """
    # Backwards, because a checkpoint binds its last round, and each round binds the one before it.
    for round in range(last, first - 1, -1):
        if bound is None:
            return round + 1, None
        link = read_round_link(run, round)
        # No file is required, since a void round has none.
        yield from checked_files(run, link, what=WHAT, required=())
        if link.manifest is None:
            return round, bound
        if link.digest != bound:
            yield _broken(link.file, round, f"is not the manifest that round {round} wrote")
            return round, bound
        said = link.manifest.facts.get("round")
        if type(said) is not int or said != round:
            yield _broken(link.file, round, "is of another round")
        bound = link.manifest.previous
    return first, bound


def _broken(file: str, round: int, reason: str) -> Finding:
    return Finding(WHAT, round, file, holds=False, sentence=f"{file} {reason}.")
