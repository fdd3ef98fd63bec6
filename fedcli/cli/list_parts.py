"""`fedcli list` and `fedcli list-strategies`: what a config can name."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from fedcli.cli.output import Json, print_json, reported


class Kind(StrEnum):
    """What can be listed."""

    datasets = "datasets"
    models = "models"
    partitions = "partitions"
    strategies = "strategies"
    executors = "executors"
    cohorts = "cohorts"
    devices = "devices"
    optimizers = "optimizers"
    schedules = "schedules"
    preprocessing = "preprocessing"
    compressions = "compressions"
    attacks = "attacks"


_SECTIONS = {
    Kind.datasets: "data",
    Kind.models: "model",
    Kind.partitions: "data.partition",
    Kind.strategies: "strategy",
    Kind.executors: "executor",
    Kind.cohorts: "cohort",
    Kind.devices: "devices",
    Kind.optimizers: "client.optimizer",
    Kind.schedules: "client.schedule",
    Kind.preprocessing: "data.preprocessing",
    Kind.compressions: "compression",
    Kind.attacks: "attack",
}


def list_parts(
    kind: Annotated[Kind, typer.Argument(help="What to list.", show_default=False)], json: Json = False
) -> None:
    """List the built-in parts of a kind, with their parameters."""
    with reported():
        rows = _rows(_SECTIONS[kind])
        if json:
            print_json(rows)
        else:
            _print_rows(rows)


def list_strategies(json: Json = False) -> None:
    """List the strategies: what each does, its paper, its parameters, what it combines with."""
    list_parts(Kind.strategies, json)


def _rows(section: str) -> list[dict[str, Any]]:
    from fedcli.config import installed
    from fedcli.core.factories import describe

    rows = []
    for name, factory in installed(section).items():
        about = describe(factory)
        parameters = [
            {
                "name": parameter.name,
                "type": _type_name(parameter.annotation),
                "required": parameter.required,
                **({} if parameter.required else {"default": parameter.default}),
            }
            for parameter in about.parameters
        ]
        rows.append(
            {
                "name": name,
                "summary": about.summary,
                "reference": about.reference,
                "combines": about.combines,
                "parameters": parameters,
            }
        )
    return rows


def _print_rows(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False)
    for row in rows:
        console.print(Text(row["name"], style="bold"), Text(f"  {row['summary']}"), sep="", soft_wrap=True)
        lines = [_parameters_line(row["parameters"]), row["reference"], _combines_line(row["combines"])]
        for line in filter(None, lines):
            if console.is_terminal:
                console.print(Padding(Text(line, style="dim"), (0, 0, 0, 4)))
            else:
                console.print(f"    {line}", soft_wrap=True, markup=False)


def _parameters_line(parameters: list[dict[str, Any]]) -> str:
    shown = (
        f"{p['name']}: {p['type']} (required)"
        if p["required"]
        else f"{p['name']}: {p['type']} = {_value(p['default'])}"
        for p in parameters
    )
    return ", ".join(shown)


def _combines_line(combines: str) -> str:
    return f"Combines with {combines}" if combines else ""


def _value(default: Any) -> str:
    if default is None:
        return "null"
    if isinstance(default, bool):
        return str(default).lower()
    return str(list(default) if isinstance(default, tuple) else default)


def _type_name(annotation: Any) -> str:
    if isinstance(annotation, type):
        return annotation.__name__
    return str(annotation).replace("typing.", "").replace("collections.abc.", "")
