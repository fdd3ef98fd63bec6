"""Checks that the checkpoints are a chain that starts from the config and the initial model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any

from fedcli.runs.verification.chain_links import Link, Pair
from fedcli.runs.verification.report import Finding
from fedcli.store import directory
from fedcli.store.files import guarded, limits
from fedcli.store.files.manifests import Manifest

WHAT = "chain of checkpoints"
BOUND = "config and environment"


def checked_chain(run: Path, pair: Pair) -> Iterator[Finding]:
    """Check a checkpoint's place in the chain; and for the first one, the files that the run was started with."""
    before, link = pair
    if link.manifest is None:
        return
    yield _place(run, before, link, link.manifest)
    if link.round == 0:
        yield from _bound(run, link, link.manifest)


def _place(run: Path, before: Link | None, link: Link, manifest: Manifest) -> Finding:
    said, follows = manifest.facts.get("round"), manifest.facts.get("follows")
    # A missing checkpoint is named as that: otherwise the one after it would seem to be at fault.
    missing = _missing(follows, before, link)
    # By type too: 3.0 equals 3, and would be another text of the same manifest.
    if type(said) is not int or said != link.round:
        return _broken(link, f"is of round {said} and is in the folder of round {link.round}")
    if missing is not None:
        path = directory.checkpoint_folder(run, missing).relative_to(run).as_posix()
        sentence = f"{path} is missing; the checkpoint of round {link.round} follows it."
        return Finding(WHAT, missing, path, holds=False, sentence=sentence)
    # A chain that does not begin with round 0 has lost its beginning.
    expected = before.round if before else None
    if type(follows) not in (int, NoneType) or follows != expected or (before is None and link.round):
        return _broken(link, f"follows {_name(follows)} and comes after {_name(before and before.round)}")
    if manifest.previous != (before.digest if before else None):
        return _broken(link, f"does not follow from {_name(follows)} as it is now")
    return Finding(WHAT, link.round, link.file)


def _missing(follows: Any, before: Link | None, link: Link) -> int | None:
    """The round of the checkpoint that a link follows, if that checkpoint does not exist."""
    first = before.round if before else -1
    # A manifest that was forged may have a value of any type.
    return follows if type(follows) is int and first < follows < link.round else None


def _name(round: Any) -> str:
    return "nothing" if round is None else f"the checkpoint of round {round}"


def _broken(link: Link, reason: str) -> Finding:
    return Finding(WHAT, link.round, link.file, holds=False, sentence=f"{link.file} {reason}.")


def _bound(run: Path, link: Link, manifest: Manifest) -> Iterator[Finding]:
    sums = manifest.facts.get("run")
    known = isinstance(sums, dict) and {*directory.ALWAYS_BOUND} <= sums.keys() <= {*directory.BOUND}
    if not isinstance(sums, dict) or not known:
        yield _broken(link, f"does not bind {' and '.join(directory.ALWAYS_BOUND)}")
        return
    for name, digest in sums.items():
        # Null for a file that the run does not have.
        if digest is None and name not in directory.ALWAYS_BOUND:
            if not guarded.exists(run / name, below=run):
                continue
            fault: str | None = "was added: the run has no such file"
        else:
            fault = guarded.fault(run / name, str(digest), below=run, limit=limits.JSON)
        yield Finding(BOUND, link.round, name, fault is None, f"{name} {fault}." if fault else "")
