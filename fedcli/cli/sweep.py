"""`fedcli sweep`: many runs of one config, in one folder."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedcli.cli.output import Facts, Json, escaped, print_json, print_message, reported
from fedcli.cli.printed_table import Cell, print_table

if TYPE_CHECKING:
    from fedcli.config import SweepSpace
    from fedcli.runs.comparison import SeedGroup
    from fedcli.runs.sweep.sweeping import SweepOutcome
    from fedcli.runs.sweep.trials import Trial

_MOST_FAILURES = 5
_SPARE = ("seconds", "bytes up", "simulated seconds", "best", "runs")


def sweep(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SWEEP|CONFIG", help="The YAML file of a sweep, or of an experiment.", show_default=False
        ),
    ],
    values: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=A,B,C",
            help="Values of a key, one run for each; with a single value, it is that of all runs. A comma within "
            "brackets, braces or quotes belongs to a value: 'strategy=mean,{name: fedprox, mu: 0.1}'.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(help="Seeds, each for all settings: 0..4, or 1,5,7.", show_default=False),
    ] = None,
    random: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Draw N settings at random, instead of all of them.", show_default=False
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="The column of metrics.jsonl by which settings are compared.", show_default=False),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="The folder of the runs; runs/sweep-NAME by default.", show_default=False),
    ] = None,
    parallel: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Runs at the same time; by default one for each core, with 1.5 GiB of free memory each.",
            show_default=False,
        ),
    ] = None,
    slurm: Annotated[
        str | None,
        typer.Option(
            metavar="OPTIONS",
            help="Run nothing, but write an array script for Slurm with these options of sbatch.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Run a config with many values and seeds: a grid, or settings that are drawn.

    The same command again goes on where it stopped, repeats what failed, and does nothing when all is done.
    """
    if slurm is not None and (json or parallel is not None):
        raise typer.BadParameter(
            "--slurm runs nothing, so that --json and --parallel mean nothing beside it. Leave them out."
        )
    with reported():
        from fedcli.config import read_sweep
        from fedcli.runs.sweep.job_array import MOST_TASKS
        from fedcli.runs.sweep.sweeping import folder_of, planned_trials, write_job_array

        space = read_sweep(source, values or (), seeds)
        if random is not None:
            space = space._replace(search="random", trials=random)
        space = space._replace(metric=metric or space.metric)
        trials = planned_trials(space)
        place = folder or folder_of(space, source, trials[0])
        command = shlex.join(["fedcli", *sys.argv[1:]])
        if slurm is not None:
            script = write_job_array(space, trials, place, command=command, options=slurm)
            typer.echo(
                f"Wrote {script} for {len(trials)} runs. Queue it with: sbatch {shlex.quote(str(script))}"
            )
            if len(trials) > MOST_TASKS:
                most = -(-len(trials) // MOST_TASKS)
                print_message(
                    f"An array has at most {MOST_TASKS:,} tasks here: each has up to {most} runs, one after the other, "
                    "and --time is for all of them.",
                    to_stderr=False,
                )
            print_message(
                "When its jobs have ended, the command without --slurm prints the results.", to_stderr=False
            )
            return
        outcome = _go_on(space, trials, place, command, parallel=parallel, to_stderr=json)
        if json:
            print_json(_facts(outcome))
        else:
            _print_results(outcome)
        raise typer.Exit(_exit_code(outcome))


def _go_on(
    space: SweepSpace,
    trials: Sequence[Trial],
    folder: Path,
    command: str,
    *,
    parallel: int | None,
    to_stderr: bool,
) -> SweepOutcome:
    from fedcli.cli.interruption import interruptible
    from fedcli.cli.sweep_view import SweepView
    from fedcli.runs.sweep.children import default_parallel
    from fedcli.runs.sweep.sweeping import sweep as go_on

    total = len(trials)
    if space.search == "optuna":
        total = (space.trials or 1) * max(1, len(space.seeds))
    num = min(parallel or default_parallel(), total)
    typer.echo(f"{total} runs in {escaped(str(folder))}, {num} at the same time", err=to_stderr)
    with SweepView(folder, to_stderr=to_stderr) as view, interruptible() as asked_to_stop:
        return go_on(
            space,
            trials,
            folder,
            command=command,
            parallel=num,
            watch=view.watch,
            asked_to_stop=asked_to_stop,
        )


def _print_results(outcome: SweepOutcome) -> None:
    from fedcli.runs.sweep.sweep_results import PICTURE, TABLE

    results, folder = outcome.results, escaped(str(outcome.folder))
    if results is not None:
        typer.echo(f"\n{results.column}, +- over seeds, the best first:")
        print_table([_row(group) for group in results.groups], spare=_SPARE)
        if results.column.startswith("test/") and len(results.groups) > 1:
            print_message(
                "The order was found by looking at the test set, so that the first value is too good; with "
                "evaluation.clients, --metric validation/NAME leaves the test set alone."
            )
        print_message(
            f"\n{folder}/{TABLE} has a line for each run, {folder}/{PICTURE} the curves.", to_stderr=False
        )
    counts = Counter(status.standing for status in outcome.statuses)
    num_done = f"{counts['done']} of {len(outcome.statuses)} runs are done"
    ruined = [status for status in outcome.statuses if status.standing == "ruined"]
    for status in ruined[:_MOST_FAILURES]:
        print_message(f"{status.trial.name} ended without a result: {status.failure}")
    if ruined:
        print_message(
            f"{len(ruined)} of {len(outcome.statuses)} runs ruined their models, mostly by too large a step. They "
            "are not tried again. A setting of which other seeds are done is last in the table, else it is in none. "
            "After mending a component that was at fault, run `fedcli run --resume FOLDER`, or remove the run's folder."
        )
    failed = [status for status in outcome.statuses if status.standing == "failed"]
    for status in failed[:_MOST_FAILURES]:
        log = outcome.folder / "logs" / f"{status.trial.name}.log"
        print_message(f"{status.trial.name} failed, {status.failure}\n  Its log: {log}")
    if failed:
        more = f", of which {_MOST_FAILURES} are shown" if len(failed) > _MOST_FAILURES else ""
        print_message(f"{num_done}, {len(failed)} failed{more}. The same command tries them again.")
    elif counts["done"] + counts["ruined"] < len(outcome.statuses):
        print_message(f"{num_done}. The same command goes on with the others.")
    elif not counts["done"]:
        print_message(f"{num_done}.")
    else:
        # Quoted, so that the lines can be pasted into a shell.
        place = shlex.quote(str(outcome.folder))
        typer.echo(f"{num_done}. For one page about them: fedcli report {place}")
        typer.echo(f"Compare them with: fedcli compare {place}")


def _row(group: SeedGroup) -> dict[str, Cell]:
    from fedcli.cli.compare import figures_of

    return {"": group.label, "runs": len(group.runs), **figures_of(group)}


def _facts(outcome: SweepOutcome) -> Facts:
    results = outcome.results
    return {
        "folder": str(outcome.folder),
        "runs": [
            {
                "name": status.trial.name,
                "settings": status.trial.settings,
                "state": status.standing,
                "failure": status.failure or None,
            }
            for status in outcome.statuses
        ],
        "metric": results and results.column,
        "groups": [
            {
                "label": group.label,
                "runs": [run.run.folder.name for run in group.runs],
                "last": group.values("last"),
                "best": group.values("best"),
            }
            for group in (results.groups if results else ())
        ],
    }


def _exit_code(outcome: SweepOutcome) -> int:
    """As of a run: 0 done, 1 failed, 130 interrupted; 1 also if every run has ruined its model."""
    standings = {status.standing for status in outcome.statuses}
    if "failed" in standings or standings == {"ruined"}:
        return 1
    return 0 if standings <= {"done", "ruined"} else 130
