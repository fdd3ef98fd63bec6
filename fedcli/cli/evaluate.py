"""`fedcli evaluate`: the model of a run on held-out data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import typer

from fedcli.cli.output import Facts, Json, Traceback, print_facts, print_json, print_message, reported
from fedcli.cli.printed_table import Cell, Csv, Markdown, form_of, print_table
from fedcli.cli.run_argument import Average, RoundChoice, RunPath, TrustCode, to_round, trusted

# More rows do not fit on a screen; the other forms have all.
_SHOWN = 20
_ABOUT = ("run", "round", "data", "examples", "model")


def evaluate(
    run: RunPath,
    round: RoundChoice = "last",
    data: Annotated[
        Literal["test", "clients"],
        typer.Option(help="The central test set, or the validation examples of each client."),
    ] = "test",
    average: Average = False,
    trust_code: TrustCode = False,
    csv: Csv = False,
    md: Markdown = False,
    json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Evaluate the model of a run: on the test set, with each class, or on the clients, with each client.

    --csv and --md print the table alone, of the classes or of the clients, with all rows.
    """
    with reported(traceback=traceback), trusted(trust_code):
        from fedcli.cli.live_view import Screen
        from fedcli.core.metrics import prefixed
        from fedcli.runs.lifecycle import evaluate_run
        from fedcli.runs.round_choice import chosen_round

        # What needs no TensorFlow comes first, so that its errors come at once.
        form = form_of(md=md, csv=csv)
        number = chosen_round(run, to_round(round))
        # The result alone goes to stdout, so that it can be piped.
        with Screen(to_stderr=True) as screen:
            screen.load_tensorflow()
            facts = evaluate_run(run, round=number, data=data, average=average)
        if json:
            print_json(facts)
            return
        rows = _clients(facts["clients"]) if data == "clients" else facts.get("classes", [])
        if form != "terminal":
            print_table(rows, form)
            return
        about = {name: value for name, value in facts.items() if name in _ABOUT}
        figures = {name: value for name, value in facts.items() if isinstance(value, float)}
        # As the columns of metrics.jsonl are called.
        print_facts(about | prefixed("test" if data == "test" else "validation", figures))
        if rows:
            typer.echo()
            print_table(rows[:_SHOWN])
        if len(rows) > _SHOWN:
            what = "clients, worst first" if data == "clients" else "classes"
            typer.echo(f"... of {len(rows):,} {what}; --csv prints all.")
        if 0 < len(facts.get("confusion") or ()) <= _SHOWN:
            _print_confusion(facts)


def _clients(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Cell]]:
    """The clients, the worst by the first metric first; by the loss where there is no metric."""
    from fedcli.engine.run_columns import better

    known = [name for name in rows[0] if name not in ("client", "examples")]
    first = next((name for name in known if name != "loss"), "loss")
    sign = 1 if better(first) == "up" else -1
    # A loss that diverged is NaN, which is the worst of all.
    return sorted(rows, key=lambda row: (row[first] == row[first], sign * row[first]))


def _print_confusion(facts: Facts) -> None:
    names = [row["class"] for row in facts["classes"]]
    print_message(
        "\nConfusion matrix: a row has the examples of a class, a column what is predicted to be of one.",
        to_stderr=False,
    )
    print_table(
        [
            {"": name, **dict(zip(names, counts, strict=True))}
            for name, counts in zip(names, facts["confusion"], strict=True)
        ]
    )
