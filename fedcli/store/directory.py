"""Layout of a run directory, and its readers; `run_store.py` writes it."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Any

import numpy.typing as npt

from fedcli.core.errors import ConfigError, RunError
from fedcli.core.rounds import ModelLayout, RoundState
from fedcli.store import checkpoints, round_folders
from fedcli.store.files import canonical_json, guarded, limits, logs, manifests, npz
from fedcli.store.files.guarded import FileRefused
from fedcli.store.files.logs import Mark, to_mark
from fedcli.store.files.manifests import Manifest
from fedcli.store.retention import Retention, to_prune

CONFIG, ENVIRONMENT = "config.yaml", "environment.json"
PRIVACY, ENCRYPTION = "privacy.json", "encryption.json"
MODEL = "model.json"
METRICS, CLIENTS, CHARGE = "metrics.jsonl", "clients.jsonl", "charge.json"
# In the order of writing: a record is written after the lines of its clients.
LOGS = (CLIENTS, METRICS)
# Never changed after the start; the first checkpoint has their SHA-256, and null for one that the run does not have.
BOUND = (CONFIG, ENVIRONMENT, ENCRYPTION, MODEL)
# All that older runs bind.
ALWAYS_BOUND = (CONFIG, ENVIRONMENT)
CHECKPOINTS, CLIENT_STATES = "checkpoints", "clients"
# Made from the other files at the end of a run, for people; no checkpoint binds them.
RESULTS, CURVES, SUMMARY = "results.csv", "curves.png", "summary.json"
KEEP_ALL = Retention()


class FolderTaken(ConfigError):
    """A run directory of this name exists, or another process is making it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"the run directory {folder} exists.",
            hint="Choose another with --run-dir, or --resume it.",
        )


def refuse_existing(folder: Path) -> None:
    """Refuse to start a run in a folder that exists.

    Raises:
        FolderTaken: if `folder` exists.
    """
    if folder.exists():
        raise FolderTaken(folder)


def read_config(folder: Path) -> Path:
    """The path of a run's resolved config.

    Raises:
        ConfigError: if `folder` is not a run directory.
    """
    if not guarded.exists(folder / CONFIG, below=folder):
        raise ConfigError(
            f"{folder} is not a run directory: it has no {CONFIG}.",
            hint="Give the run directory that `fedcli run` printed.",
        )
    return folder / CONFIG


def config_text(folder: Path) -> str:
    """The text of a run's resolved config.

    Raises:
        ConfigError: if `folder` is not a run directory.
        RunError: if config.yaml is not a text file of that directory.
    """
    path = read_config(folder)
    try:
        return guarded.read_bytes(path, below=folder, limit=limits.CONFIG).decode()
    except UnicodeDecodeError:
        raise RunError(f"{path} is not a text file.") from None


def read_json(folder: Path, name: str, *, indent: int | None = 1) -> dict[str, Any]:
    """The content of a file of JSON in the run directory, in the form in which a run writes it.

    Raises:
        FileRefused: if the file is missing or damaged.
    """
    content = guarded.read_bytes(folder / name, below=folder, limit=limits.JSON)
    try:
        return canonical_json.parse_written(content, indent=indent)
    except ValueError as error:
        raise FileRefused(folder / name, str(error)) from None


def read_json_if_there(folder: Path, name: str) -> dict[str, Any] | None:
    """The same; None if there is no such file."""
    return read_json(folder, name) if guarded.exists(folder / name, below=folder) else None


def read_run(folder: Path) -> str:
    """The random name that the run got when it started, from environment.json.

    Raises:
        RunError: if environment.json is missing or damaged.
    """
    run = read_json(folder, ENVIRONMENT).get("run")
    if not isinstance(run, str):
        raise RunError(f"{folder / ENVIRONMENT} does not name the run.\nRestore the file.")
    return run


def bound_digests(folder: Path) -> dict[str, str | None]:
    """The SHA-256 of the files that never change after the start; None for one that the run does not have."""
    return {
        name: guarded.sha256(folder / name, below=folder, limit=limits.JSON)
        if guarded.exists(folder / name, below=folder)
        else None
        for name in BOUND
    }


def finished_rounds(folder: Path) -> list[int]:
    """Rounds that have a checkpoint, ascending."""
    return round_folders.rounds(folder / CHECKPOINTS)


def whole_rounds(folder: Path) -> list[int]:
    """Rounds whose checkpoint has a model, ascending: those that were not pruned."""
    return [
        each for each in finished_rounds(folder) if checkpoints.has_arrays(checkpoint_folder(folder, each))
    ]


def planned_rounds(folder: Path, round: int | None = None) -> int | None:
    """The rounds that an extended run plans, as the checkpoint of `round` says, or its last one.

    None for a run that was not extended before that checkpoint.
    """
    rounds = finished_rounds(folder) if round is None else [round]
    said = manifests.fact(checkpoint_folder(folder, rounds[-1]), "planned") if rounds else None
    return said if type(said) is int else None


def checkpoint_folder(folder: Path, round: int) -> Path:
    """The folder of a round's checkpoint."""
    return folder / CHECKPOINTS / round_folders.name(round)


def read_records(folder: Path, log: str = METRICS) -> list[dict[str, Any]]:
    """The records of a log, metrics.jsonl by default, up to the first line that is damaged or was not finished."""
    records: list[dict[str, Any]] = []
    # One after the other, to keep those before a line that is damaged.
    with contextlib.suppress(FileRefused, ValueError):
        records.extend(logs.records(folder / log))
    return records


def read_rounds(folder: Path) -> list[dict[str, Any]]:
    """The records of metrics.jsonl up to the first one that names no round, which no run writes."""
    return list(itertools.takewhile(lambda record: type(record.get("round")) is int, read_records(folder)))


def pruned_rounds(folder: Path, retention: Retention) -> list[int]:
    """The rounds whose checkpoints lack arrays because the run's policy prunes them, ascending.

    What lacks arrays for another reason is not pruned but missing.
    """
    if not retention.prunes:
        return []
    planned = to_prune(retention, finished_rounds(folder), read_rounds(folder))
    return [round for round in planned if not checkpoints.has_arrays(checkpoint_folder(folder, round))]


def read_state(
    folder: Path, layout: ModelLayout, round: int | None = None, retention: Retention = KEEP_ALL
) -> RoundState:
    """The state after `round`, or after the last one that has a checkpoint.

    Args:
        folder: the run directory.
        layout: how the model's variables are placed in the state's vectors.
        round: the round; None for the last one.
        retention: the run's policy, which tells a checkpoint that was pruned from one that is damaged.

    Raises:
        ConfigError: if there is no such checkpoint, or it was pruned.
        RunError: if there is none at all, or it is damaged.
    """
    return checkpoints.read_checkpoint(
        whole_checkpoint(folder, round, retention), layout, folder / CLIENT_STATES
    )


def whole_checkpoint(folder: Path, round: int | None = None, retention: Retention = KEEP_ALL) -> Path:
    """The checkpoint of `round`, or the last one, with its arrays; raises as `read_state` does, and reads nothing."""
    rounds = finished_rounds(folder)
    if not rounds:
        raise RunError(f"{folder} has no checkpoint: the run stopped before the first one. Start a new run.")
    if round is not None and round not in rounds:
        # A long run has thousands.
        known = ", ".join(map(str, rounds[-10:]))
        raise ConfigError(f"{folder} has no checkpoint of round {round}; the last ones are {known}.")
    wanted = rounds[-1] if round is None else round
    place = checkpoint_folder(folder, wanted)
    if retention.prunes and not checkpoints.has_arrays(place):
        whole = [each for each in rounds if checkpoints.has_arrays(checkpoint_folder(folder, each))]
        known = f"the last rounds that still have theirs: {', '.join(map(str, whole[-10:]))}"
        known = known if whole else "no checkpoint has arrays"
        if wanted in pruned_rounds(folder, retention):
            raise ConfigError(
                f"the checkpoint of round {wanted} was pruned: `{retention}` removed its arrays; {known}."
            )
        raise RunError(
            f"{place} lacks arrays that `{retention}` keeps; {known}.\n"
            "Restore the folder, or delete all checkpoints after one of these rounds to resume from it."
        )
    return place


def resumable(checkpoint: Path, manifest: Manifest) -> tuple[dict[str, Mark], bool]:
    """The marks of the logs that a checkpoint names, and whether a part of its state is secret.

    Raises:
        RunError: if its manifest does not say them.
    """
    said, has_secret = manifest.facts.get("logs"), manifest.facts.get("has_secret")
    found = {name: to_mark(said.get(name)) for name in LOGS} if isinstance(said, dict) else {}
    marks = {name: mark for name, mark in found.items() if mark is not None}
    if marks.keys() != set(LOGS) or not isinstance(has_secret, bool):
        raise RunError(f"{checkpoint / manifests.NAME} does not have the lengths of the logs.")
    return marks, has_secret


def read_weights(path: str) -> dict[str, npt.NDArray[Any]]:
    """The named weights of an `.npz` file, or of the last checkpoint of a run directory.

    Raises:
        ConfigError: if there are none, or the checkpoint is not as its run wrote it.
    """
    source = Path(path)
    try:
        if source.is_dir() and finished_rounds(source):
            checkpoint = checkpoint_folder(source, finished_rounds(source)[-1])
            # Damaged weights would load all the same, and show only in the results.
            manifest = checkpoints.read_manifest(checkpoint)
            return checkpoints.read_arrays(checkpoint, manifest, checkpoints.WEIGHTS)
        if not source.is_file():
            raise ConfigError(
                f"{path} is neither an .npz file nor a run directory with a checkpoint.",
                hint="Give the path of one, relative to the working directory.",
            )
        return npz.read_arrays(source)
    except RunError as error:
        raise ConfigError(str(error)) from error
