"""`fedcli export`: the model of a run as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fedcli.cli.output import Json, print_facts, print_json, quiet_imports, reported
from fedcli.cli.run_argument import Average, ClientModel, RoundChoice, RunPath, TrustCode, to_round, trusted

if TYPE_CHECKING:
    from fedcli.components.models.model_files import Format


def export(
    run: RunPath,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="The file to write; its end says the format.", show_default=True),
    ] = Path("model.keras"),
    format: Annotated[
        Literal["keras", "savedmodel", "tflite", "onnx"] | None,
        typer.Option(help="The format; by default, what the end of the file says.", show_default=False),
    ] = None,
    round: RoundChoice = "last",
    client: ClientModel = None,
    average: Average = False,
    with_preprocessing: Annotated[
        bool,
        typer.Option(
            "--with-preprocessing",
            help="Put the run's preprocessing into the model, so that it takes raw rows.",
        ),
    ] = False,
    trust_code: TrustCode = False,
    json: Json = False,
) -> None:
    """Write the model of a run as a Keras file, a SavedModel, a TensorFlow Lite or an ONNX file."""
    with reported(), trusted(trust_code):
        wanted: Format | None = format
        from fedcli.runs.exported_model import METADATA, Which, export_model

        facts = export_model(
            run,
            output,
            Which(to_round(round), client, average),
            format=wanted,
            with_preprocessing=with_preprocessing,
            before_tensorflow=quiet_imports,
        )
        if json:
            print_json({"file": str(output), **facts})
            return
        metrics = {name: value for name, value in facts["metrics"].items() if name.count("/") == 1}
        epsilon = {} if facts["epsilon"] is None else {"epsilon": facts["epsilon"]}
        print_facts(
            {
                "file": str(output),
                "run": facts["run"],
                "round": facts["round"],
                **metrics,
                **epsilon,
                "input": facts["input"],
                "metadata": f"{METADATA} within the file",
                "use": facts["how_to_use"],
            }
        )
