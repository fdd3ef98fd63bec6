"""`fedcli check`: validation of a config, and the cost of a round."""

from __future__ import annotations

import typer

from fedcli.cli.config_arguments import ConfigPath, Overrides, SetOptions, read_config
from fedcli.cli.encryption_plan import print_encryption
from fedcli.cli.output import Json, Traceback, print_facts, print_json, print_message, quiet_imports, reported
from fedcli.cli.run_argument import TrustCode, trusted


def check(
    config: ConfigPath,
    overrides: Overrides = None,
    options: SetOptions = None,
    trust_code: TrustCode = False,
    json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Validate a config, build all components, and print the cost of a round. Nothing is trained or written."""
    with reported(traceback=traceback), trusted(trust_code):
        from fedcli.experiment.cost import checked_cost

        facts = checked_cost(read_config(config, overrides, options), before_tensorflow=quiet_imports)
        if json:
            print_json(facts)
            return
        warnings, encryption = facts.pop("warnings", []), facts.pop("encryption", None)
        print_facts(facts)
        if encryption is not None:
            typer.echo()
            print_encryption(encryption)
        # On stderr, so that stdout has the facts alone.
        for warning in warnings:
            print_message(f"Warning: {warning}")
