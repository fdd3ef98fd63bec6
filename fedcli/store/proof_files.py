"""What rounds can be checked by afterwards: a folder of files for each of them, below proofs/.

Each folder has a manifest with the digest of the round's before, so that they are a chain of their own; every
checkpoint names its last link.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fedcli.store import round_folders
from fedcli.store.files import durable, manifests
from fedcli.store.files.disk import LOCAL, Disk

FORMAT = 1
FOLDER = "proofs"


def put(folder: Path, round: int, files: Mapping[str, bytes], *, disk: Disk = LOCAL) -> None:
    """Keep a round's files in `folder`, all of them or none; those of a round that is done again are replaced."""
    target = round_folder(folder, round)
    if target.exists():
        durable.discard(target, disk=disk)
    draft = durable.fresh(durable.draft_of(target), disk=disk)
    for name, content in files.items():
        disk.write(draft / name, content)
    facts = {"format": FORMAT, "round": round}
    manifests.write(draft, files, facts=facts, previous=head(folder, round - 1), disk=disk)
    durable.publish(draft, target, disk=disk)


def drop_after(folder: Path, round: int, *, disk: Disk = LOCAL) -> None:
    """Remove what was kept of the rounds after `round`, which will be done again."""
    for kept in reversed(rounds(folder)):
        if kept > round:
            durable.discard(round_folder(folder, kept), disk=disk)


def rounds(folder: Path) -> list[int]:
    """The rounds of which something is kept, ascending."""
    return [round for round in round_folders.rounds(folder) if round_folder(folder, round).is_dir()]


def head(folder: Path, round: int) -> str | None:
    """The digest of a round's manifest; None where nothing was kept of it."""
    return manifests.digest(round_folder(folder, round))


def round_folder(folder: Path, round: int) -> Path:
    """Where a round's files stand."""
    return folder / round_folders.name(round)
