"""How a person names a run: its path, its number, its short name, or `last`."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from fedcli.core.errors import ConfigError
from fedcli.runs.run_list import Entry, list_runs

RUNS = Path("runs")
"""Where `fedcli run` puts run directories, relative to the working directory."""


def find_run(said: str, root: Path = RUNS) -> Path:
    """The run directory that a person means.

    Args:
        said: a path; a number, 1 for the newest; the beginning of a short name; `last`, or `last:NAME` for the newest
            run of the config of that name.
        root: the folder of the runs.

    Raises:
        ConfigError: if there is no such run, or a short name could be that of several.
    """
    path = Path(said)
    # A path first: whoever has a folder named 1 means it. Of a path that leads nowhere, the command says what is wrong.
    if path.exists() or os.sep in said:
        return path
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


def _first(found: list[Entry], problem: str, runs: list[Entry], said: str = "") -> Path:
    if found:
        return found[0].folder
    near = difflib.get_close_matches(said, [run.short for run in runs] + [run.folder.name for run in runs], 1)
    meant = f"Did you mean {near[0]}? " if near else ""
    raise ConfigError(problem, hint=f"{meant}`fedcli runs` lists them.")
