"""`fedcli init`: a ready config to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedcli.cli.output import reported


def init(
    name: Annotated[str, typer.Argument(help="Which ready config; --list names them.")] = "quickstart",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write it; NAME.yaml by default.", show_default=False),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the ready configs and exit.")] = False,
) -> None:
    """Copy a ready config to start from."""
    with reported():
        from fedcli.cli.templates import copy_template, templates

        if list_:
            for template in templates():
                typer.echo(f"{template.name:<24}  {template.summary}")
            return
        path = output or Path(f"{name}.yaml")
        copy_template(name, path)
        typer.echo(f"Wrote {path}. Run it with: fedcli run {path}")
