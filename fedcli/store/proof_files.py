"""Evidence by which a round can be verified later: a folder of files for each round, below proofs/.

The manifest of each folder has the digest of the manifest of the round before, so the folders form a chain. Every
checkpoint names the last manifest of that chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fedcli.store import round_folders
from fedcli.store.files import durable, guarded, manifests
from fedcli.store.files.disk import LOCAL, Disk

FORMAT = 1
FOLDER = "proofs"


def put(folder: Path, round: int, files: Mapping[str, bytes], *, disk: Disk = LOCAL) -> None:
    """Write all files of a round, or none of them. If a round is repeated, the new files replace the old ones."""
    target = round_folder(folder, round)
    # A rename cannot replace a folder that has files.
    if target.exists():
        durable.discard(target, disk=disk)
    draft = durable.fresh(durable.draft_of(target), disk=disk)
    for name, content in files.items():
        disk.write(draft / name, content)
    facts = {"format": FORMAT, "round": round}
    manifests.write(draft, files, facts=facts, previous=head(folder, round - 1), disk=disk)
    durable.publish(draft, target, disk=disk)


def drop_after(folder: Path, round: int, *, disk: Disk = LOCAL) -> None:
    """Remove the files of rounds after `round`, which will be repeated."""
    # From the last one, so that a killed process leaves a chain without a gap.
    for kept in reversed(rounds(folder)):
        if kept > round:
            durable.discard(round_folder(folder, kept), disk=disk)


def rounds(folder: Path) -> list[int]:
    """The rounds that have a folder of files, ascending."""
    there = round_folders.rounds(folder)
    return [round for round in there if guarded.is_folder(round_folder(folder, round), below=folder.parent)]


def head(folder: Path, round: int) -> str | None:
    """The digest of a round's manifest; None if the round has no files."""
    return manifests.digest(round_folder(folder, round))


def round_folder(folder: Path, round: int) -> Path:
    """The folder of a round's files."""
    return folder / round_folders.name(round)
