"""`fedcli list` and `fedcli list-strategies`: the components that a config can name."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fedcli.cli.output import Json, print_json, print_message, reported, wrapped

if TYPE_CHECKING:
    from fedcli.core.factories import Factory, Parameter


class Kind(StrEnum):
    """The kinds of components."""

    datasets = "datasets"
    models = "models"
    partitions = "partitions"
    strategies = "strategies"
    clients = "clients"
    transforms = "transforms"
    aggregators = "aggregators"
    server_optimizers = "server-optimizers"
    executors = "executors"
    cohorts = "cohorts"
    devices = "devices"
    optimizers = "optimizers"
    schedules = "schedules"
    preprocessing = "preprocessing"
    compressions = "compressions"
    encryptions = "encryptions"
    proofs = "proofs"
    attacks = "attacks"
    callbacks = "callbacks"


SECTIONS = {
    Kind.datasets: "data",
    Kind.models: "model",
    Kind.partitions: "data.partition",
    Kind.strategies: "strategy",
    Kind.clients: "strategy.client",
    Kind.transforms: "strategy.transforms",
    Kind.aggregators: "strategy.aggregator",
    Kind.server_optimizers: "strategy.server_optimizer",
    Kind.executors: "executor",
    Kind.cohorts: "cohort",
    Kind.devices: "devices",
    Kind.optimizers: "client.optimizer",
    Kind.schedules: "client.schedule",
    Kind.preprocessing: "data.preprocessing",
    Kind.compressions: "compression",
    Kind.encryptions: "encryption",
    Kind.proofs: "proofs",
    Kind.attacks: "attack",
    Kind.callbacks: "callbacks",
}


def list_parts(
    kind: Annotated[Kind, typer.Argument(help="The kind of components.", show_default=False)],
    json: Json = False,
) -> None:
    """List the built-in components of a kind with their parameters."""
    with reported():
        rows = _rows(SECTIONS[kind])
        if json:
            print_json(rows)
        else:
            _print_rows(rows)


def list_strategies(
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="Also parts, parameters, paper, deviations and valid combinations."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """List the strategies: the name of each and what it does, in one line."""
    if verbose or json:
        list_parts(Kind.strategies, json)
        return
    with reported():
        from fedcli.config import installed
        from fedcli.core.factories import describe

        registry = installed(SECTIONS[Kind.strategies])
        _print_brief({name: describe(factory).summary for name, factory in registry.items()})
        print_message("\n`fedcli list-strategies -v` prints parameters, papers and examples.")


def _print_brief(summaries: Mapping[str, str]) -> None:
    from rich.console import Console
    from rich.text import Text

    console, width = Console(highlight=False), max(map(len, summaries)) + 2
    for name, summary in summaries.items():
        # One line each fits on a screen. A pipe gets the whole line.
        room = console.width - width if console.is_terminal else sys.maxsize
        said = textwrap.shorten(summary, room, placeholder=" ...")
        console.print(Text.assemble((f"{name:<{width}}", "bold"), said), soft_wrap=True)


def _rows(section: str) -> list[dict[str, Any]]:
    from fedcli.config import installed
    from fedcli.core.factories import describe

    rows = []
    for name, factory in installed(section).items():
        about = describe(factory)
        row = about._asdict() | {"name": name, "parameters": [_parameter(each) for each in about.parameters]}
        rows.append(row if section != "strategy" else row | {"expansion": _expansion(factory, about.example)})
    return rows


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "type": _type_name(parameter.annotation),
        "required": parameter.required,
        **({} if parameter.required else {"default": parameter.default}),
    }


def _expansion(factory: Factory, example: dict[str, Any]) -> dict[str, Any]:
    """The parts of a strategy with its defaults and, where it has none, with the values of its example."""
    from fedcli.experiment.describe import expand

    expansion = expand(factory(**example))
    return {"line": expansion.line, **expansion.as_dict()}


def _print_rows(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for row in rows:
        line, width = (
            f"{row['name']}  {row['summary']}",
            console.width if console.is_terminal else sys.maxsize,
        )
        heading = Text(wrapped(line, width, indent="    "))
        heading.stylize("bold", end=len(row["name"]))
        console.print(heading, soft_wrap=True)
        # In a pipe each text is one line, so that a script can search it.
        if not console.is_terminal:
            for label, text in _lines(row):
                console.print(f"    {label:<10}  {text}", soft_wrap=True, markup=False)
            continue
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=2)
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column()
        for label, text in _lines(row):
            # As a Text, because rich would take the brackets of a list for markup.
            grid.add_row("", label, Text(text))
        console.print(grid)


def _lines(row: dict[str, Any]) -> list[tuple[str, str]]:
    """The lines below the name of a component, by label."""
    values = ", ".join(f"{name}: {_value(value)}" for name, value in row["example"].items())
    lines = [
        ("parts", row.get("expansion", {}).get("line", "")),
        ("parameters", ", ".join(_parameter_text(parameter) for parameter in row["parameters"])),
        ("reference", row["reference"]),
        ("deviations", row["deviations"]),
        ("combines", row["combines"]),
        ("example", f"{{name: {row['name']}, {values}}}" if values else ""),
    ]
    return [(label, text) for label, text in lines if text]


def _parameter_text(parameter: dict[str, Any]) -> str:
    said = "(required)" if parameter["required"] else f"= {_value(parameter['default'])}"
    return f"{parameter['name']}: {parameter['type']} {said}"


def _value(default: Any) -> str:
    # As YAML writes them, so that they can be copied into a config.
    if default is None:
        return "null"
    if isinstance(default, bool):
        return str(default).lower()
    return str(list(default) if isinstance(default, tuple) else default)


def _type_name(annotation: Any) -> str:
    if isinstance(annotation, type):
        return annotation.__name__
    # The module of a type says nothing to the reader of a config.
    return str(annotation).replace("typing.", "").replace("collections.abc.", "")
