"""Layout of a run directory, and what reads it; `run_store.py` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy.typing as npt

from fedcli.core.errors import ConfigError, RunError
from fedcli.core.rounds import ModelLayout, RoundState
from fedcli.store import checkpoints, round_folders
from fedcli.store.files import npz

CONFIG, ENVIRONMENT = "config.yaml", "environment.json"
PRIVACY, ENCRYPTION = "privacy.json", "encryption.json"
METRICS, CLIENTS, CHARGE = "metrics.jsonl", "clients.jsonl", "charge.json"
# A checkpoint needs the lines of clients before those of their round.
LOGS = (CLIENTS, METRICS)
# What the first checkpoint binds: it never changes.
BOUND = (CONFIG, ENVIRONMENT)
CHECKPOINTS, SHELF = "checkpoints", "clients"


def refuse_existing(folder: Path) -> None:
    """Refuse to write into a folder that is there already.

    Raises:
        ConfigError: if `folder` exists.
    """
    if folder.exists():
        raise ConfigError(
            f"the run directory {folder} exists.", hint="Choose another with --run-dir, or --resume it."
        )


def read_config(folder: Path) -> Path:
    """The path of a run's resolved config.

    Raises:
        ConfigError: if `folder` is not a run directory.
    """
    if not (folder / CONFIG).is_file():
        raise ConfigError(
            f"{folder} is not a run directory: it has no {CONFIG}.",
            hint="Give the folder that `fedcli run` named.",
        )
    return folder / CONFIG


def read_run(folder: Path) -> str:
    """The name that the run gave itself when it began.

    Raises:
        RunError: if environment.json, which has it, is gone or damaged.
    """
    try:
        return str(json.loads((folder / ENVIRONMENT).read_text())["run"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{folder / ENVIRONMENT} does not name the run: {error}.\nRestore the file from a copy."
        ) from None


def finished_rounds(folder: Path) -> list[int]:
    """Rounds that have a checkpoint, ascending."""
    return round_folders.rounds(folder / CHECKPOINTS)


def checkpoint_folder(folder: Path, round: int) -> Path:
    """Where the checkpoint of a round stands."""
    return folder / CHECKPOINTS / round_folders.name(round)


def read_state(folder: Path, layout: ModelLayout, round: int | None = None) -> RoundState:
    """The state after `round`, or after the last one that has a checkpoint.

    Raises:
        ConfigError: if there is no such checkpoint.
        RunError: if there is none at all, or it is damaged.
    """
    rounds = finished_rounds(folder)
    if not rounds:
        raise RunError(f"{folder} has no checkpoint: the run was stopped before its first. Start it anew.")
    if round is not None and round not in rounds:
        known = ", ".join(map(str, rounds[-10:]))
        raise ConfigError(f"{folder} has no checkpoint of round {round}; the last ones are {known}.")
    return checkpoints.read_checkpoint(
        checkpoint_folder(folder, rounds[-1] if round is None else round), layout, folder / SHELF
    )


def read_weights(path: str) -> dict[str, npt.NDArray[Any]]:
    """The named weights of an `.npz` file, or of the last checkpoint of a run directory.

    Raises:
        ConfigError: if there are none, or the checkpoint's are not those that its run wrote.
    """
    source = Path(path)
    try:
        if source.is_dir() and finished_rounds(source):
            checkpoint = checkpoint_folder(source, finished_rounds(source)[-1])
            checkpoints.read_manifest(checkpoint)
            source = checkpoint / checkpoints.WEIGHTS
        if not source.is_file():
            raise ConfigError(
                f"{path} is neither an .npz file nor a run directory with a checkpoint.",
                hint="Give the path of one, seen from the folder where fedcli runs.",
            )
        return npz.read_arrays(source)
    except RunError as error:
        raise ConfigError(str(error)) from error
