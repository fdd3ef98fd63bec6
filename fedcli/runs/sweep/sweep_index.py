"""sweep.json: what a folder of runs was made of, so that the same command goes on, and another one is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fedcli import config
from fedcli.config import ConfigErrors, Settings
from fedcli.core.errors import ConfigError, RunError
from fedcli.runs.comparison import settings_of_run
from fedcli.runs.sweep.trials import Trial
from fedcli.store.files import canonical_json, durable, guarded, limits

NAME = "sweep.json"
FORMAT = 1


class Indexed(NamedTuple):
    """A run in the index.

    Args:
        settings: the values of the keys that differ between runs.
        config: its config, complete with defaults.
        failure: what it printed last, if it failed the last time; else empty.
    """

    settings: Settings
    config: str
    failure: str = ""


class SweepIndex(NamedTuple):
    """The content of sweep.json.

    Args:
        command: the command that was given last.
        runs: by the names of their directories.
    """

    command: str
    runs: Mapping[str, Indexed]

    def with_failure(self, name: str, failure: str) -> SweepIndex:
        """The index with what a run printed when it failed; empty text for a run that did not."""
        return self._replace(runs={**self.runs, name: self.runs[name]._replace(failure=failure)})


def read_index(folder: Path) -> SweepIndex | None:
    """The index of a folder of runs; None if it has none.

    Raises:
        RunError: if it is damaged.
    """
    path = folder / NAME
    if not guarded.exists(path, below=folder):
        return None
    content = guarded.read_bytes(path, below=folder, limit=limits.JSON)
    try:
        said = canonical_json.parse_object(content)
        runs = {
            name: Indexed(run["settings"], run["config"], run["failure"])
            for name, run in said["runs"].items()
        }
        if said["format"] != FORMAT:
            raise ValueError(f"format {said['format']!r} is not supported")
        return SweepIndex(said["command"], runs)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{path} is damaged ({error}).\nRemove it: the runs stay, and the command goes on with them."
        ) from None


def write_index(folder: Path, index: SweepIndex) -> None:
    """Replace the index of a folder at once."""
    runs = {name: run._asdict() for name, run in index.runs.items()}
    content = {"format": FORMAT, "command": index.command, "runs": runs}
    durable.write(folder / NAME, json.dumps(content, indent=1, allow_nan=False) + "\n")


def updated(folder: Path, before: SweepIndex | None, trials: Sequence[Trial], command: str) -> SweepIndex:
    """The index with the runs of a command.

    Raises:
        ConfigError: if a run that has begun was of another config, with the keys that differ.
    """
    known = dict(before.runs) if before else {}
    changes: dict[str, list[str]] = {}
    for trial in trials:
        text, old = config.dump(trial.experiment), known.get(trial.name)
        if old is not None and old.config != text and guarded.exists(folder / trial.name, below=folder):
            for change in _changes(old.config, trial.experiment):
                changes.setdefault(change, []).append(trial.name)
        known[trial.name] = Indexed(dict(trial.settings), text, old.failure if old else "")
    if changes:
        said = "\n".join(f"{change} ({len(names)} of the runs)" for change, names in changes.items())
        raise ConfigError(
            f"{folder} has runs of another config:\n{said}",
            hint="Put the config back to go on with them, or give the new runs a folder with --folder.",
        )
    return SweepIndex(command, known)


def _changes(old: str, new: config.Experiment) -> list[str]:
    """The keys that differ, as sentences."""
    try:
        before = settings_of_run(config.loads(old, NAME, imports=False).experiment)
    except ConfigErrors as error:
        return [f"the config in {NAME} cannot be used any more: {error}"]
    after = settings_of_run(new)
    keys = [key for key in dict.fromkeys((*before, *after)) if before.get(key) != after.get(key)]
    # None, where only the form differs, as after an update that has one more key with a default.
    return [f"{key} was {before.get(key, 'absent')} and is {after.get(key, 'absent')}" for key in keys]
