"""Checks that the files beside the checkpoints which state something are those that the chain binds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fedcli.core.errors import RunError
from fedcli.runs.agreement import protocol_of
from fedcli.runs.verification.chain_links import Link, Pair
from fedcli.runs.verification.report import Finding
from fedcli.store import charges, directory
from fedcli.store.files import guarded, limits
from fedcli.store.files.guarded import FileRefused

WHAT = "stated files"


def checked_stated_files(run: Path, pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Check privacy.json, encryption.json and charge.json against the checkpoints; what none binds is a note."""
    if not pairs or pairs[-1].link.manifest is None:
        return  # reported where the checkpoints are checked
    for name in (directory.ENCRYPTION, directory.MODEL):
        yield from _added(run, pairs, name)
    yield from _privacy(run, pairs[-1])
    yield from _charge(run, pairs[-1].link)


def _added(run: Path, pairs: Sequence[Pair], name: str) -> Iterator[Finding]:
    """A file that an older run does not bind."""
    first = pairs[0].link.manifest
    bound = first.facts.get("run") if first is not None else None
    # Where it is bound, it is checked with the config.
    if isinstance(bound, dict) and name in bound:
        return
    if guarded.exists(run / name, below=run):
        yield _unbound(run, name)


def _privacy(run: Path, pair: Pair) -> Iterator[Finding]:
    name, path = directory.PRIVACY, run / directory.PRIVACY
    expected, earlier = _statement_of(pair.link), _statement_of(pair.before)
    found = _digest(path, run)
    if expected is None:
        if isinstance(found, str):
            yield _unbound(run, name)
    elif found == expected:
        yield Finding(WHAT, pair.link.round, name)
    # What a process that was killed after it published a checkpoint leaves: the copy of the one before.
    elif found == earlier and (earlier is not None or pair.before is None):
        which = "is missing" if found is None else f"is of the checkpoint before round {pair.link.round}"
        sentence = (
            f"{name} {which}, as a run leaves it that is stopped before it copies the statement of its last "
            "checkpoint; resume the run to have it."
        )
        yield Finding(WHAT, pair.link.round, name, sentence=sentence)
    else:
        fault = guarded.fault(path, expected, below=run, limit=limits.JSON)
        copy = directory.checkpoint_folder(run, pair.link.round).relative_to(run).as_posix()
        sentence = f"{name} {fault}; {copy}/{name} has what the run wrote."
        yield Finding(WHAT, pair.link.round, name, holds=False, sentence=sentence)


def _charge(run: Path, link: Link) -> Iterator[Finding]:
    """A run charges rounds after its last checkpoint, so the file may name a later one, and none before."""
    least = link.manifest.facts.get("charged") if link.manifest is not None else None
    name = directory.CHARGE
    try:
        found = charges.read(run)
    except RunError as error:
        reason = str(error).partition("\n")[0].removeprefix(f"{run / name} ")
        yield Finding(WHAT, link.round, name, holds=False, sentence=f"{name} {reason}")
        return
    if type(least) is int and (found is None or found < least):
        said = "is missing" if found is None else f"names round {found}"
        sentence = f"{name} {said}; round {least} was charged before the checkpoint of round {link.round}."
        yield Finding(WHAT, link.round, name, holds=False, sentence=sentence)
    elif found is not None:
        yield Finding(WHAT, link.round, name)


def _statement_of(link: Link | None) -> str | None:
    """The digest of a checkpoint's own privacy.json."""
    return None if link is None or link.manifest is None else link.manifest.files.get(directory.PRIVACY)


def _digest(path: Path, run: Path) -> str | FileRefused | None:
    """The SHA-256 of a file as it is now, None if it is missing, or why it is not read."""
    try:
        return guarded.sha256(path, below=run, limit=limits.JSON)
    except FileRefused as error:
        return None if error.is_missing else error


def _unbound(run: Path, name: str) -> Finding:
    """A file that no checkpoint binds: an earlier version bound none, and this one binds all."""
    try:
        is_old = protocol_of(run) == 1
    except RunError:
        is_old = False
    # No run of protocol 1 wrote model.json.
    if is_old and name != directory.MODEL:
        sentence = f"{name} is bound by no checkpoint of this older run, and may have been changed."
        return Finding(WHAT, None, name, sentence=sentence)
    sentence = f"{name} is not a file that the run wrote: no checkpoint binds it."
    return Finding(WHAT, None, name, holds=False, sentence=sentence)
