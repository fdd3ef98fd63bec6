"""charge.json: the last round that was charged before its release.

No checkpoint binds it, since a round is charged after the last one. So it has a digest of its own: one bit that flips
must not make a charged round look as if it had never been released.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from fedcli.store import directory
from fedcli.store.files import canonical_json, durable, guarded, limits
from fedcli.store.files.disk import LOCAL, Disk
from fedcli.store.files.guarded import FileRefused

_ROUND, _SELF = "round", "self"


def write(run: Path, round: int, *, disk: Disk = LOCAL) -> None:
    """Charge a round durably, and all rounds before it."""
    # Nothing of the exact sum is written, not even a hash: a hash could confirm a guess.
    durable.write(run / directory.CHARGE, encoded(round), disk=disk)


def encoded(round: int) -> bytes:
    """The content of charge.json."""
    said = {_ROUND: round}
    return canonical_json.written({**said, _SELF: _digest(round)}, indent=None)


def read(run: Path) -> int | None:
    """The last round that was charged; None if no round was.

    Raises:
        FileRefused: if charge.json is damaged.
    """
    path = run / directory.CHARGE
    if not guarded.exists(path, below=run):
        return None
    said = directory.read_json(run, directory.CHARGE, indent=None)
    # Older runs have no digest in it.
    round, own = said.get(_ROUND), said.get(_SELF)
    if said.keys() - {_SELF} != {_ROUND} or type(round) is not int or round < 0:
        raise FileRefused(path, "does not name a round")
    if _SELF in said and own != _digest(round):
        raise FileRefused(path, "is not as it was written: it differs from its own digest")
    return round


def require(run: Path, least: object, *, every: int, disk: Disk = LOCAL) -> str | None:
    """Make a damaged charge.json anew, with the last round that a run can have charged.

    Args:
        run: the run directory, in which no round goes on.
        least: the round that was charged when the last checkpoint was written; None if none was.
        every: rounds between checkpoints.
        disk: where it is written.

    Raises:
        FileRefused: if the rounds of metrics.jsonl cannot be counted.

    Returns:
        What was wrong and what now counts as charged, for the user; None if nothing was wrong.
    """
    path = run / directory.CHARGE
    try:
        found = read(run)
        if type(least) is not int or (found is not None and found >= least):
            return None
        fault = "is missing" if found is None else f"names round {found}"
        fault = f"{fault}, and round {least} was charged before the last checkpoint"
    except FileRefused as error:
        fault = error.reason
    most = max(_most(run, every), least if type(least) is int else 0)
    write(run, most, disk=disk)
    return (
        f"{path} {fault}. Nobody knows any more which rounds were charged after the last checkpoint, so that all up to "
        f"round {most}, the last one possible, count as charged: none of them is released again."
    )


def _most(run: Path, every: int) -> int:
    """The last round that may have been charged: before the one after it, there would be another checkpoint."""
    last = max(directory.finished_rounds(run), default=0)
    # Somebody may have removed checkpoints; the lines of their rounds are cut off only after this.
    log = run / directory.METRICS
    lines, unended = 0, 0
    for piece in guarded.read_pieces(log, below=run, limit=limits.LOG):
        lines += piece.count(b"\n")
        after = piece.rfind(b"\n") + 1
        unended = len(piece) - after if after else unended + len(piece)
        # No run writes it, and a file without content may be as large as nobody can read.
        if unended > limits.RECORD:
            raise FileRefused(
                log,
                f"has a line of more than {limits.RECORD:,} bytes: nobody knows how many rounds were charged",
            )
    return max(last + every, lines + 1)


def _digest(round: int) -> str:
    return hashlib.sha256(canonical_json.written({_ROUND: round}, indent=None)).hexdigest()
