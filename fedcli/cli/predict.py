"""`fedcli predict`: the model of a run on new rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedcli.cli.output import Json, escaped, print_facts, print_json, print_message, quiet_imports, reported
from fedcli.cli.run_argument import Average, ClientModel, RoundChoice, RunPath, TrustCode, to_round, trusted


def predict(
    run: RunPath,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A csv, whose columns are matched by name; an .npz with an array x; or a folder of images.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="The csv to write; without it, rows go to stdout.", show_default=False
        ),
    ] = None,
    round: RoundChoice = "last",
    client: ClientModel = None,
    average: Average = False,
    trust_code: TrustCode = False,
    json: Json = False,
) -> None:
    """Predict new rows with the model of a run and the run's own preprocessing."""
    with reported(), trusted(trust_code):
        from fedcli.runs.prediction import predict_rows, written_rows

        made = predict_rows(
            run,
            file,
            round=to_round(round),
            client=client,
            average=average,
            before_tensorflow=quiet_imports,
        )
        for note in made.notes:
            print_message(note)
        name, value = made.agreement or ("", 0.0)
        if output is not None:
            from fedcli.store.files import durable

            durable.write(output, written_rows(made.rows))
            facts = {"rows": len(made.rows), "round": made.round, **({name: value} if name else {})}
            if json:
                print_json({"file": str(output), **facts})
            else:
                print_facts({"file": str(output), **facts})
        elif json:
            print_json(made.rows)
        else:
            # Whoever made the run chose the names of its classes, and this may be a terminal.
            typer.echo(escaped(written_rows(made.rows), keep="\n"), nl=False)
            if name:
                print_message(f"{name} {value:.4g} on {len(made.rows):,} rows")
