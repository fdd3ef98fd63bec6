"""`fedcli schema`: the JSON Schema of a config."""

from __future__ import annotations

from fedcli.cli.output import print_json, reported


def schema() -> None:
    """Print the JSON Schema of a config, for editors and programs: every key with its type, default and meaning.

    An editor with the YAML language server completes and checks a config whose first line is
    `# yaml-language-server: $schema=fedcli.schema.json`.
    """
    with reported():
        from fedcli.config import json_schema

        print_json(json_schema())
