"""`fedcli check`: is a config good, and what will it cost?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedcli.cli.encryption_plan import print_encryption
from fedcli.cli.output import Json, Overrides, print_facts, print_json, quiet_imports, reported


def check(
    config: Annotated[Path, typer.Argument(help="The experiment's YAML file.", show_default=False)],
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Validate a config, build every part, and print what a round will cost. Trains and writes nothing."""
    with reported():
        from fedcli import config as configs
        from fedcli.experiment.cost import checked_cost

        source = configs.load(str(config), overrides or [])
        facts = checked_cost(source, before_tensorflow=quiet_imports)
        if json:
            print_json(facts)
        else:
            warnings, encryption = facts.pop("warnings", []), facts.pop("encryption", None)
            print_facts(facts)
            if encryption is not None:
                typer.echo()
                print_encryption(encryption)
            for warning in warnings:
                typer.echo(f"Warning: {warning}", err=True)
