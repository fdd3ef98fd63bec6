"""The argument that names a run, the same in every command that reads one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.models import ArgumentInfo

from fedcli.cli.output import reported

if TYPE_CHECKING:
    from fedcli.runs.round_choice import Choice


def to_run(said: str) -> Path:
    """The run directory that a person means, by path, number, short name or `last`."""
    with reported():
        from fedcli.runs.addresses import find_run

        return find_run(said)


@contextmanager
def trusted(trust_code: bool) -> Iterator[None]:
    """Let runs of somebody else import their modules and open their files, if the user said so."""
    from fedcli.runs.trust import trusting

    with trusting(trust_code):
        yield


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
_CONFIG_OR_RUN: ArgumentInfo = typer.Argument(
    metavar="CONFIG|RUN", help="A YAML file, or a run.", parser=to_config_or_run, show_default=False
)
ConfigOrRun = Annotated[Path, _CONFIG_OR_RUN]
ConfigOrRunIfAny = Annotated[Path | None, _CONFIG_OR_RUN]
Metric = Annotated[
    str | None,
    typer.Option(help="The column of metrics.jsonl; by default that of the first run.", show_default=False),
]
TrustCode = Annotated[
    bool,
    typer.Option(
        "--trust-code",
        help="Import the modules and open the files that a run of somebody else names.",
    ),
]
RoundChoice = Annotated[
    str,
    typer.Option(
        metavar="best|last|N",
        help="The round of the model; `best` by the metric in `fedcli runs`.",
    ),
]
ClientModel = Annotated[
    int | None,
    typer.Option(
        help="The own model of this client, in runs with personal models or layers.", show_default=False
    ),
]
Average = Annotated[
    bool, typer.Option("--average", help="Use the moving average of the model, if the run has one.")
]


def to_round(said: str) -> Choice:
    """The round that a person means.

    Raises:
        BadParameter: if it is neither a number nor `best` or `last`.
    """
    if said == "best":
        return "best"
    if said == "last":
        return "last"
    if not said.isdecimal():
        raise typer.BadParameter(
            f"{said!r} is no round; give its number, `best` or `last`.", param_hint="--round"
        )
    return int(said)
