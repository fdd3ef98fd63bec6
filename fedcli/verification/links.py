"""The checkpoints of a run as links of a chain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fedcli import checkpoints, store
from fedcli.core import manifests
from fedcli.core.errors import ConfigError, RunError
from fedcli.core.manifests import Manifest


class Link(NamedTuple):
    """A checkpoint.

    Args:
        round: the round that its folder is named after.
        folder: where it stands.
        file: its manifest, below the run directory.
        manifest: what its manifest says; None if that is not to be trusted.
        fault: why not.
        digest: SHA-256 of its manifest as it stands there; None if there is none.
    """

    round: int
    folder: Path
    file: str
    manifest: Manifest | None
    fault: str
    digest: str | None


class Pair(NamedTuple):
    """A checkpoint and the one before it, if there is one."""

    before: Link | None
    link: Link


def read_pairs(run: Path) -> list[Pair]:
    """Every checkpoint with the one before it, in the order of rounds."""
    links = [_read(run, round) for round in dict.fromkeys(store.finished_rounds(run))]
    return [Pair(before, link) for before, link in zip([None, *links], links, strict=False)]


def covering(pairs: list[Pair], round: int) -> list[Pair]:
    """The first checkpoint that covers a round.

    Raises:
        ConfigError: if none does.
    """
    found = [pair for pair in pairs if pair.link.round >= round >= 0]
    if not found:
        last = f"its last one is of round {pairs[-1].link.round}" if pairs else "it has none"
        raise ConfigError(f"no checkpoint of the run covers round {round}; {last}.", key="round")
    return found[:1]


def trusted(pairs: list[Pair]) -> Iterator[tuple[Link, Manifest]]:
    """The checkpoints whose manifests are as they were written."""
    return ((pair.link, pair.link.manifest) for pair in pairs if pair.link.manifest is not None)


def _read(run: Path, round: int) -> Link:
    folder = store.checkpoint_folder(run, round)
    file = (folder / manifests.NAME).relative_to(run).as_posix()
    manifest, fault = None, ""
    try:
        format = manifests.fact(folder, "format")
        if format not in (None, checkpoints.FORMAT):
            fault = f"has format {format}; this version of fedcli verifies format {checkpoints.FORMAT}"
        else:
            manifest = manifests.read(folder)
    except RunError as error:
        fault = str(error).removeprefix(f"{folder / manifests.NAME} ").removesuffix(".")
    return Link(round, folder, file, manifest, fault, manifests.digest(folder))
