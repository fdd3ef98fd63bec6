"""`fedcli evaluate`: the model of a run on held-out data."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from fedcli.cli.output import Json, Traceback, print_facts, print_json, reported
from fedcli.cli.run_argument import RunPath


def evaluate(
    run: RunPath,
    round: Annotated[
        int | None, typer.Option(help="The round of the model; the last one by default.", show_default=False)
    ] = None,
    data: Annotated[
        Literal["test", "clients"],
        typer.Option(help="The central test set, or the validation examples of each client."),
    ] = "test",
    average: Annotated[
        bool, typer.Option("--average", help="Use the moving average of the model, if the run has one.")
    ] = False,
    json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Evaluate the model of a run."""
    with reported(traceback=traceback):
        from fedcli.cli.live_view import Screen

        # The result alone goes to stdout, so that it can be piped.
        with Screen(to_stderr=True) as screen:
            with screen.loading():
                from fedcli.runs.lifecycle import evaluate_run
            facts = evaluate_run(run, round=round, data=data, average=average)
        if json:
            print_json(facts)
        else:
            # There can be thousands of clients; --json has their rows.
            print_facts({name: value for name, value in facts.items() if name != "clients"})
