"""How a person names a run: its path, its number, its short name, or `last`."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

from fedcli.core.errors import ConfigError
from fedcli.runs.run_list import Entry, list_runs, run_folders
from fedcli.store import directory
from fedcli.store.files import guarded

RUNS = Path("runs")
"""Where `fedcli run` puts run directories, relative to the working directory."""


def find_run(said: str, root: Path = RUNS) -> Path:
    """The run directory that a person means.

    Args:
        said: a path; a number, 1 for the newest; the beginning of a short name; `last`, or `last:NAME` for the newest
            run of the config of that name. A folder of runs may stand before it, as in `runs/sweep-quickstart/last`.
        root: the folder of the runs.

    Raises:
        ConfigError: if there is no such run, or a short name could be that of several.
    """
    path = Path(said)
    # A path first: whoever has a folder named 1 means it.
    if path.exists():
        return path
    if os.sep in said:
        # Of a path that leads nowhere, the command says what is wrong.
        return find_run(path.name, path.parent) if is_folder_of_runs(path.parent) else path
    runs = list_runs(root)
    if said == "last" or said.startswith("last:"):
        name = said.partition(":")[2]
        found = [run for run in runs if not name or (run.summary is not None and run.summary.name == name)]
        named = f" of a config named {name!r}" if name else ""
        return _first(found, f"there is no run{named} in {root}.", runs)
    if said.isdecimal():
        found = [run for run in runs if run.number == int(said)]
        return _first(found, f"there is no run number {said} in {root}, which has {len(runs)}.", runs)
    found = [run for run in runs if run.folder.name == said]
    found = found or [run for run in runs if said and run.short.startswith(said)]
    if len(found) > 1:
        names = ", ".join(run.short for run in found[:5])
        raise ConfigError(f"{said!r} could be {names}.", hint="Give more letters of the short name.")
    return _first(found, f"{said} is not a run directory, and no run in {root} has that name.", runs, said)


def is_folder_of_runs(folder: Path) -> bool:
    """Whether a folder is not a run, but has runs, as that of a sweep."""
    return (
        folder.is_dir()
        and not guarded.exists(folder / directory.CONFIG, below=folder)
        and any(run_folders(folder))
    )


def with_runs_of_folders(paths: Sequence[Path]) -> list[Path]:
    """The paths, with a folder of runs replaced by those of its runs that are done, the oldest first."""
    found: list[Path] = []
    for path in paths:
        if is_folder_of_runs(path):
            found += [run.folder for run in reversed(list_runs(path)) if run.state == "done"]
        else:
            found.append(path)
    return found


def _first(found: list[Entry], problem: str, runs: list[Entry], said: str = "") -> Path:
    if found:
        return found[0].folder
    near = difflib.get_close_matches(said, [run.short for run in runs] + [run.folder.name for run in runs], 1)
    meant = f"Did you mean {near[0]}? " if near else ""
    raise ConfigError(problem, hint=f"{meant}`fedcli runs` lists them.")
