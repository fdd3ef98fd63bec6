"""The way back to an earlier checkpoint: by itself if only the last is damaged and only time lost, else on request.

To decide changes nothing, so that whatever refuses the run later leaves its directory as it was. The checkpoints after
it are set aside, not deleted: a disk may read tomorrow what it does not read today.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from fedcli.core.errors import ConfigError, FedcliError, RunError
from fedcli.store import charges, checkpoints, directory, proof_files, secrets
from fedcli.store.files import durable, logs, manifests
from fedcli.store.files.disk import LOCAL, Disk
from fedcli.store.files.guarded import FileRefused

FOLDER = "set-aside"
"""Checkpoints that a resumption went back behind; nothing is read from them again."""


class WayBack(NamedTuple):
    """How a run goes on that does not go on from its last checkpoint.

    Args:
        wanted: the round that was asked for; None if none was.
        round: the round of the checkpoint from which it goes on.
        later: the rounds whose checkpoints are set aside, ascending.
        sentence: why, and what becomes of these rounds.
    """

    wanted: int | None
    round: int
    later: list[int]
    sentence: str


def way_back(run: Path, wanted: int | None = None) -> WayBack | None:
    """Decide from which checkpoint a run goes on; None for its last one. Nothing is changed.

    Args:
        run: the run directory.
        wanted: the round of the checkpoint; None for the last one that is whole.

    Raises:
        ConfigError: if there is no checkpoint of `wanted`.
        RunError: if the checkpoint is damaged, or to go back needs a person who asks for it; the message says how.
    """
    rounds = directory.finished_rounds(run)
    if wanted is not None and wanted not in rounds:
        known = ", ".join(map(str, rounds[-10:])) or "none"
        raise ConfigError(f"{run} has no checkpoint of round {wanted}; the last ones are: {known}.")
    fault = fault_of(run, rounds[-1]) if rounds else None
    if not rounds or (fault is None and wanted in (None, rounds[-1])):
        return None
    good = wanted if wanted is not None else next(_whole(run, rounds[:-1]), None)
    if good is None:
        way_out = "Restore it: there is no checkpoint before it from which the run can go on."
        raise RunError(f"{fault}\n{secrets.NO_NOISE if _has_noise(run, rounds) else way_out}")
    if wanted is not None and (own := fault_of(run, wanted) or _without_noise(run, wanted)):
        raise RunError(f"{own}\nGo on from another round.")
    lost = _again(run, good, rounds[-1])
    # More than one interval between checkpoints, or of a privacy budget, is for a person to decide.
    if wanted is None and (good != rounds[-2] or _is_charged_after(run, good)):
        raise RunError(
            f"{fault}\nRestore it, or go on from the checkpoint of round {good} with: "
            f"fedcli run --resume {run} --from-round {good}\n{lost}"
        )
    why = f"{fault} " if wanted is None else ""
    return WayBack(wanted, good, _after(run, good), f"{why}The run goes on from round {good}. {lost}")


def require_current(run: Path, back: WayBack) -> None:
    """Refuse a way back that was decided before another process went on with the run.

    The process holds the lock of the run.

    Raises:
        RunError: if it would be decided otherwise now.
    """
    if way_back(run, back.wanted) != back:
        raise RunError(f"another process went on with {run} at the same time.\nResume it again.")


def set_aside(run: Path, back: WayBack, *, disk: Disk = LOCAL) -> str:
    """Move the checkpoints after that from which a run goes on, and return what the user is told.

    The process holds the lock of the run.
    """
    place = durable.make_folder(run / FOLDER, disk=disk)
    # From the last one, so that a process that is killed leaves a chain without a gap.
    for round in reversed(back.later):
        source = directory.checkpoint_folder(run, round)
        names = (source.name, *(f"{source.name}-{number}" for number in range(2, 10_000)))
        target = next(place / name for name in names if not (place / name).exists())
        disk.rename(source, target)
        disk.sync(place)
        disk.sync(source.parent)
    return f"{back.sentence} The checkpoints after it are now in {place}."


def fault_of(run: Path, round: int) -> str | None:
    """Why a run cannot go on from a checkpoint, as a sentence; None if it can. States of clients are not looked at."""
    folder = directory.checkpoint_folder(run, round)
    try:
        if not checkpoints.has_arrays(folder):
            return f"{folder} has no arrays any more."
        manifest = checkpoints.read_manifest(folder)
        marks = manifest.facts.get("logs")
        for name in directory.LOGS:
            mark = logs.to_mark(marks.get(name)) if isinstance(marks, dict) else None
            if mark is None or logs.marks_at(run / name, [mark.bytes]).get(mark.bytes) != mark:
                return f"{run / name} does not have the lines that it had at the checkpoint of round {round}."
        proofs = run / proof_files.FOLDER
        if manifest.facts.get("evidence") != proof_files.head(proofs, round):
            where = proof_files.round_folder(proofs, round) / manifests.NAME
            return f"{where} is not the one that the checkpoint of round {round} names."
        if manifest.facts.get("has_secret") is True:
            secrets.read_noise(run, round, {})
    except FedcliError as error:
        # Its other lines say what to do, which depends on what follows.
        return str(error).partition("\n")[0]
    return None


def _after(run: Path, round: int) -> list[int]:
    return [each for each in directory.finished_rounds(run) if each > round]


def _whole(run: Path, rounds: list[int]) -> Iterator[int]:
    return (
        round
        for round in reversed(rounds)
        if fault_of(run, round) is None and _without_noise(run, round) is None
    )


def _has_noise(run: Path, rounds: Iterable[int]) -> bool:
    folders = [directory.checkpoint_folder(run, round) for round in rounds]
    return any(manifests.fact(folder, "has_secret") is True for folder in folders)


def _without_noise(run: Path, round: int) -> str | None:
    """Why the run cannot go back to a round because of its secret noise; None if it can."""
    # Other noise than that which later rounds were released with is not the noise that was accounted for.
    if _has_noise(run, [round]) or not (_has_noise(run, _after(run, round)) or secrets.has_noise(run)):
        return None
    return f"The noise that followed round {round} was used in rounds after it, and cannot be drawn again."


def _is_charged_after(run: Path, round: int) -> bool:
    try:
        charged = charges.read(run)
    except FileRefused:
        # Then nobody knows.
        return True
    if charged is None:
        # If a checkpoint of a private run names a charge, it was lost.
        folders = [directory.checkpoint_folder(run, each) for each in (round, *_after(run, round))]
        return any(manifests.fact(folder, "charged") is not None for folder in folders)
    return charged > round


def _again(run: Path, good: int, last: int) -> str:
    which = f"Round {last}" if last == good + 1 else f"Rounds {good + 1} to {last}"
    if _is_charged_after(run, good):
        return f"{which} had been charged, and stay so: without reproducible noise they are void now."
    return f"{which} will be trained again."
