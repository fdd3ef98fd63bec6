"""`fedcli init`: copies of the ready configs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from fedcli.cli.output import print_rows, reported


def init(
    name: Annotated[str, typer.Argument(help="A ready config; --list shows them all.")] = "quickstart",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write; NAME.yaml by default.", show_default=False),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the ready configs and exit.")] = False,
) -> None:
    """Copy a ready config to start from."""
    with reported():
        from fedcli.cli.templates import copy_template, templates

        if list_:
            print_rows([(template.name, template.summary) for template in templates()], width=24)
            return
        path = output or Path(f"{name}.yaml")
        copy_template(name, path)
        typer.echo(f"Wrote {path}. Run it with: {shlex.join(['fedcli', 'run', str(path)])}")
