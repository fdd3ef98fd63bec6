"""Checks that every file that a manifest lists is as it was written, and that there are no other files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from fedcli.runs.verification.chain_links import Link
from fedcli.runs.verification.report import Finding
from fedcli.store import checkpoints, directory, round_folders
from fedcli.store.files import guarded, manifests

WHAT = "files of checkpoints"
PRUNED = "pruned checkpoints"
REQUIRED = (checkpoints.WEIGHTS, checkpoints.STATE)


def checked_files(
    run: Path, link: Link, *, what: str = WHAT, required: Sequence[str] = REQUIRED
) -> Iterator[Finding]:
    """Check the manifest of a folder, every file that it lists, and that there are no others.

    Args:
        run: the run directory.
        link: the folder.
        what: the kind of the findings.
        required: files that the manifest must list.
    """
    if link.manifest is None:
        yield Finding(what, link.round, link.file, holds=False, sentence=f"{link.file} {link.fault}.")
        return
    # A signature of the manifest cannot be in it; `signers.py` checks it.
    besides = (checkpoints.SIGNATURE,) if what == WHAT else ()
    place, listed = link.folder.relative_to(run).as_posix(), link.manifest.files
    faults = dict(
        manifests.damaged(link.folder, link.manifest)
        + manifests.strangers(link.folder, link.manifest, besides=besides)
    )
    # A process that was killed while it pruned leaves some arrays: those are checked.
    pruned = {name for name in listed if link.is_pruned and not guarded.exists(link.folder / name, below=run)}
    faults |= {name: "is not in the manifest" for name in required if name not in listed}
    if pruned:
        yield Finding(PRUNED, link.round, place)
    for name in dict.fromkeys([manifests.NAME, *listed, *faults]):
        if name in pruned:
            continue
        file, fault = f"{place}/{name}", faults.get(name)
        yield Finding(what, link.round, file, fault is None, f"{file} {fault}." if fault else "")


def checked_names(run: Path) -> Iterator[Finding]:
    """Entries in checkpoints/ that are not checkpoints."""
    known = {directory.checkpoint_folder(run, round).name for round in directory.finished_rounds(run)}
    return strangers(run, directory.CHECKPOINTS, known, what=WHAT)


def strangers(run: Path, place: str, known: Collection[str], *, what: str) -> Iterator[Finding]:
    """Entries in a folder of the run that are neither `known` nor the draft of a round."""
    for name in guarded.names(run / place, below=run) if guarded.exists(run / place, below=run) else []:
        # A draft is what a killed process leaves, and no sign that somebody changed the run.
        if name not in known and round_folders.of_draft(name) is None:
            file = f"{place}/{name}"
            yield Finding(what, None, file, holds=False, sentence=f"{file} is not a file of the run.")
