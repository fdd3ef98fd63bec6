"""The argument that names a run, the same in every command that reads one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedcli.cli.output import reported


def to_run(said: str) -> Path:
    """The run directory that a person means, by path, number, short name or `last`."""
    with reported():
        from fedcli.runs.addresses import find_run

        return find_run(said)


def _with_folders(paths: list[Path]) -> list[Path]:
    """The runs that several words name, of which one may be a folder of runs."""
    with reported():
        from fedcli.runs.addresses import with_runs_of_folders

        return with_runs_of_folders(paths)


def to_config_or_run(said: str) -> Path:
    """A config or a run directory; what is neither stays a path, of which the command says what is wrong."""
    from fedcli.core.errors import ConfigError
    from fedcli.runs.addresses import find_run

    # A misspelt name of a config is not taken for that of a run.
    if "=" in said or Path(said).suffix in (".yaml", ".yml"):
        return Path(said)
    try:
        return find_run(said)
    except ConfigError:
        return Path(said)


_HELP = "A run: its directory, its number (1 is the newest), its short name, `last` or `last:NAME`."

RunPath = Annotated[Path, typer.Argument(metavar="RUN", help=_HELP, parser=to_run, show_default=False)]
RunPaths = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN...",
        help="Runs, as `fedcli runs` names them, or a folder of runs, such as that of a sweep.",
        parser=to_run,
        callback=_with_folders,
        show_default=False,
    ),
]
