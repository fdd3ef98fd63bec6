"""The folders of evidence: files as they were written, a chain of their own, and the checkpoints that bind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fedcli import evidence
from fedcli.core import round_evidence
from fedcli.verification.files import checked_files, checked_names
from fedcli.verification.links import Link, Pair, read_link, trusted
from fedcli.verification.report import Finding

FILES = "files of evidence"
CHAIN = "chain of evidence"
NAMES = (
    round_evidence.PARAMETERS,
    round_evidence.COMMITMENTS,
    round_evidence.PROOFS,
    round_evidence.AGGREGATE,
    round_evidence.BLINDINGS,
)


def is_kept(run: Path, pairs: Sequence[Pair]) -> bool:
    """Whether rounds of the run left evidence, as its folder or a checkpoint says."""
    named = any(manifest.facts.get("evidence") is not None for _, manifest in trusted(pairs))
    return named or (run / evidence.FOLDER).exists()


def read_rounds(run: Path, rounds: Sequence[int]) -> list[Pair]:
    """The folder of each round and of the one before it, be they there or not."""
    return [Pair(_link(run, round - 1) if round > 1 else None, _link(run, round)) for round in rounds]


def kept_rounds(run: Path) -> list[int]:
    """The rounds that have a folder, ascending."""
    names = (path.name.removeprefix("round-") for path in (run / evidence.FOLDER).glob("round-*"))
    return sorted({int(name) for name in names if name.isdecimal() and int(name) > 0})


def checked_places(run: Path) -> Iterator[Finding]:
    """What stands among the folders of evidence and is none."""
    known = {evidence.round_folder(run / evidence.FOLDER, round).name for round in kept_rounds(run)}
    return checked_names(run, evidence.FOLDER, known, what=FILES)


def checked_round(run: Path, pair: Pair) -> list[Finding]:
    """The files of a round's folder: all that a round leaves, or none where the round was void."""
    link = pair.link
    listed = link.manifest.files if link.manifest is not None else {}
    found = [*checked_files(run, link, what=FILES, required=NAMES if listed else ())]
    place = link.folder.relative_to(run).as_posix()
    for name in sorted(listed.keys() - set(NAMES)):
        sentence = f"{place}/{name} is none of the files that a round leaves."
        found.append(Finding(FILES, link.round, f"{place}/{name}", holds=False, sentence=sentence))
    return found


def checked_links(pairs: Sequence[Pair]) -> Iterator[Finding]:
    """The place of every folder in their chain."""
    for before, link in pairs:
        if link.manifest is None:
            continue
        said, previous = link.manifest.facts.get("round"), before.digest if before else None
        if said != link.round:
            yield _broken(link, f"is of round {said} and stands in the folder of round {link.round}")
        elif link.manifest.previous != previous:
            name = (
                f"the evidence of round {before.round} as it stands here" if before else "the run's beginning"
            )
            yield _broken(link, f"does not follow from {name}")
        else:
            yield Finding(CHAIN, link.round, link.file)


def checked_bindings(run: Path, pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Whether each checkpoint names the last evidence at its round."""
    for link, manifest in trusted(pairs):
        if manifest.facts.get("evidence") == evidence.head(run / evidence.FOLDER, link.round):
            yield Finding(CHAIN, link.round, link.file)
        else:
            yield _broken(link, f"does not bind the evidence of round {link.round} as it stands here")


def behind(rounds: Sequence[int], last: int) -> Iterator[Finding]:
    """A note on evidence that no checkpoint covers yet, as a run leaves it that was stopped."""
    later = [round for round in rounds if round > last]
    if later:
        file = evidence.FOLDER
        which = f"round {later[0]}" if len(later) == 1 else f"rounds {later[0]} to {later[-1]}"
        sentence = (
            f"{file} has evidence of {which}, behind the checkpoint of round {last}: "
            "its files are checked, and nothing else of it."
        )
        yield Finding(CHAIN, later[0], file, sentence=sentence)


def _link(run: Path, round: int) -> Link:
    folder = evidence.round_folder(run / evidence.FOLDER, round)
    return read_link(run, folder, round=round, format=evidence.FORMAT)


def _broken(link: Link, reason: str) -> Finding:
    return Finding(CHAIN, link.round, link.file, holds=False, sentence=f"{link.file} {reason}.")
