"""`fedcli run`: a new run, or the continuation of one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from fedcli.cli.config_arguments import ConfigIfAny, Overrides, SetOptions, read_config
from fedcli.cli.lasting_output import lasting_output
from fedcli.cli.output import Json, Traceback, print_json, print_message, reported
from fedcli.cli.run_argument import TrustCode, to_run, trusted


def run(
    config: ConfigIfAny = None,
    overrides: Overrides = None,
    options: SetOptions = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(help="The run directory to create; runs/NAME-TIME by default.", show_default=False),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Continue this run instead of starting one.",
            parser=to_run,
            show_default=False,
        ),
    ] = None,
    extend: Annotated[
        int | None,
        typer.Option(
            metavar="ROUNDS", min=1, help="With --resume: add so many rounds to the run.", show_default=False
        ),
    ] = None,
    from_round: Annotated[
        int | None,
        typer.Option(
            help="With --resume: go back to the checkpoint of this round; later ones are set aside.",
            show_default=False,
        ),
    ] = None,
    allow_different_environment: Annotated[
        bool,
        typer.Option(
            "--allow-different-environment",
            help="With --resume: go on where the same rounds have other bits, such as under another TensorFlow.",
        ),
    ] = False,
    trust_code: TrustCode = False,
    json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Run an experiment: train, evaluate, and write every round to a run directory."""
    with lasting_output(), reported(traceback=traceback), trusted(trust_code):
        if resume is None and config is None:
            raise typer.BadParameter("give a CONFIG to start a run, or --resume RUN to continue one.")
        # Without a CONFIG, the first KEY=VALUE arrives in its place.
        changed = [*([config] if config is not None else ()), *(overrides or ()), *(options or ())]
        if resume is not None and (run_dir or (config is not None and "=" not in config)):
            raise typer.BadParameter(
                "a resumed run keeps its own config and directory: --resume RUN cannot be combined with CONFIG or "
                "--run-dir."
            )
        if extend is not None and resume is None:
            raise typer.BadParameter(
                "--extend ROUNDS goes with --resume RUN; a new run has `rounds` in its config."
            )
        if resume is None and (from_round is not None or allow_different_environment):
            raise typer.BadParameter("--from-round and --allow-different-environment need --resume RUN.")
        source = (
            read_config(Path(config), overrides, options) if config is not None and resume is None else None
        )
        from fedcli.cli.interruption import interruptible
        from fedcli.cli.live_view import Screen
        from fedcli.runs.lifecycle import resume_run, start_run
        from fedcli.runs.outcome import with_outcome
        from fedcli.runs.summary import checkpoints_of

        # With --json, stdout has one document and nothing else.
        with Screen(to_stderr=json) as screen, interruptible(screen.waits_for) as asked_to_stop:
            progress = screen.progress(asked_to_stop)
            if source is not None:
                result, warning = with_outcome(partial(start_run, source, run_dir), progress)
            elif resume is not None:
                result, warning = with_outcome(
                    partial(
                        resume_run,
                        resume,
                        changed,
                        extend=extend or 0,
                        from_round=from_round,
                        allow_different_environment=allow_different_environment,
                    ),
                    progress,
                )
        if warning:
            print_message(f"Warning: {warning}")
        facts = {
            "run": str(result.folder),
            "rounds": result.state.round,
            "ending": result.ending,
            "head": result.head,
            **(result.records[-1] if result.records else {}),
            **checkpoints_of(result.folder),
        }
        if json:
            print_json(facts)
        else:
            screen.summary(facts)
