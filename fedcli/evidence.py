"""What rounds can be checked by afterwards: a folder of files with a manifest for each of them, below proofs/."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from fedcli.core import durable, manifests

FOLDER, FORMAT = "proofs", 1


def put(folder: Path, round: int, files: Mapping[str, bytes]) -> None:
    """Keep a round's files in `folder`, all of them or none; those of a round that is done again are replaced."""
    target = round_folder(folder, round)
    if target.exists():
        shutil.rmtree(target)
    draft = durable.fresh(target.with_name(f".{target.name}.tmp"))
    for name, content in files.items():
        (draft / name).write_bytes(content)
    manifests.write(draft, files, facts={"format": FORMAT, "round": round})
    durable.publish(draft, target)


def digests(folder: Path, first: int, last: int) -> dict[str, str]:
    """The digests of the manifests of the rounds `first` to `last`, by the names of their folders."""
    rounds = (round_folder(folder, round) for round in range(first, last + 1))
    return {place.name: found for place in rounds if (found := manifests.digest(place))}


def drop_after(folder: Path, round: int) -> None:
    """Remove what was kept of the rounds after `round`, which will be done again."""
    for kept in rounds(folder):
        if kept > round:
            shutil.rmtree(round_folder(folder, kept))


def rounds(folder: Path) -> list[int]:
    """The rounds of which something is kept, ascending."""
    numbers = (path.name.removeprefix("round-") for path in folder.glob("round-*"))
    return sorted(int(number) for number in numbers if number.isdecimal())


def round_folder(folder: Path, round: int) -> Path:
    """Where a round's files stand."""
    return folder / f"round-{round:05d}"
