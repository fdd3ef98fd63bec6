"""Links of a chain: folders with a manifest, such as the checkpoints of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fedcli.core.errors import ConfigError
from fedcli.store import checkpoints, directory
from fedcli.store.files import manifests
from fedcli.store.files.guarded import FileRefused
from fedcli.store.files.manifests import Manifest
from fedcli.store.retention import Retention


class Link(NamedTuple):
    """A folder of a round with a manifest.

    Args:
        round: the round that the folder is named after.
        folder: its path.
        file: the path of its manifest, below the run directory.
        manifest: what its manifest says; None if the manifest is not as it was written.
        fault: what is wrong with the manifest, as the end of a sentence.
        digest: SHA-256 of the manifest as it is now; None if there is none.
        is_pruned: whether the run's policy removed its arrays, so that only its manifest is left.
    """

    round: int
    folder: Path
    file: str
    manifest: Manifest | None
    fault: str
    digest: str | None
    is_pruned: bool = False


class Pair(NamedTuple):
    """A checkpoint, and the one before it; None before the first."""

    before: Link | None
    link: Link


def read_pairs(run: Path, retention: Retention) -> list[Pair]:
    """Every checkpoint with the one before it, in the order of rounds; `retention` says which may be pruned."""
    pruned = set(directory.pruned_rounds(run, retention))
    links = []
    for round in directory.finished_rounds(run):
        folder = directory.checkpoint_folder(run, round)
        link = read_link(run, folder, round=round, format=checkpoints.FORMAT)
        links.append(link._replace(is_pruned=round in pruned))
    return [Pair(before, link) for before, link in zip([None, *links], links, strict=False)]


def read_link(run: Path, folder: Path, *, round: int, format: int) -> Link:
    """The link of a folder: what its manifest says, or what is wrong with it."""
    manifest, fault = None, ""
    # Read apart, since a manifest of another version is not damaged and must not be called so.
    found = manifests.fact(folder, "format")
    try:
        manifest = manifests.read(folder)
    except FileRefused as error:
        # A folder on the way may be at fault: that one is named.
        fault = error.reason if error.path == folder / manifests.NAME else f"cannot be read: {error}"
    if (type(found) is not int or found != format) and (found is not None or manifest is not None):
        manifest, fault = None, f"has format {found}; this version of fedcli verifies format {format}"
    file = (folder / manifests.NAME).relative_to(run).as_posix()
    return Link(round, folder, file, manifest, fault, manifests.digest(folder))


def covering(pairs: list[Pair], round: int) -> list[Pair]:
    """The first checkpoint at or after a round.

    Raises:
        ConfigError: if there is none.
    """
    found = [pair for pair in pairs if pair.link.round >= round >= 0]
    if not found:
        last = f"its last one is of round {pairs[-1].link.round}" if pairs else "it has none"
        raise ConfigError(f"no checkpoint of the run covers round {round}; {last}.", key="round")
    return found[:1]


def trusted(pairs: Sequence[Pair]) -> Iterator[tuple[Link, Manifest]]:
    """The checkpoints whose manifests are as they were written."""
    return ((pair.link, pair.link.manifest) for pair in pairs if pair.link.manifest is not None)
