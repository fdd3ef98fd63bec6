"""`fedcli run`: train, or go on with a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedcli.cli.output import Json, Overrides, print_json, reported


def run(
    config: Annotated[
        Path | None, typer.Argument(help="The experiment's YAML file.", show_default=False)
    ] = None,
    overrides: Overrides = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(help="The run directory to make; runs/NAME-TIME by default.", show_default=False),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with this run instead.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Run an experiment: train, evaluate, and write every round to a run directory."""
    with reported():
        _check_usage(config, overrides, run_dir, resume)
        from fedcli.cli.live_view import Screen, interruptible, load_quietly

        with Screen(to_stderr=json) as screen, interruptible() as asked_to_stop:
            runs = load_quietly(screen)
            progress = screen.progress(asked_to_stop)
            if resume is not None:
                result = runs.resume_run(resume, progress=progress)
            else:
                from fedcli import config as configs

                source = configs.load(str(config), overrides or [])
                result = runs.start_run(source, run_dir, progress=progress)
        last = result.records[-1] if result.records else {}
        facts = {
            "run": str(result.folder),
            "rounds": result.state.round,
            "ending": result.ending,
            "head": result.head,
            **last,
        }
        if json:
            print_json(facts)
        else:
            screen.summary(facts)


def _check_usage(
    config: Path | None, overrides: list[str] | None, run_dir: Path | None, resume: Path | None
) -> None:
    if (config is None) == (resume is None):
        raise typer.BadParameter("give a CONFIG to start a run, or --resume RUN to go on with one.")
    if resume is not None and (overrides or run_dir):
        raise typer.BadParameter(
            "a resumed run keeps its own config and directory: --set and --run-dir have no effect."
        )
