"""`fedcli head`: the head of a run, in a form to publish."""

from __future__ import annotations

from typing import Annotated

import typer

from fedcli.cli.output import Json, print_json, print_rows, reported
from fedcli.cli.run_argument import RunPath
from fedcli.core.counting import counted


def head(
    run: RunPath,
    keys: Annotated[
        bool, typer.Option("--keys", help="Print the public key of every client as well.")
    ] = False,
    json: Json = False,
) -> None:
    """Print the head of a run, the server's signature of it and its public key, to publish them.

    `fedcli verify RUN --keys FILE` later compares the run directory with the JSON that --json prints.
    """
    with reported():
        from fedcli.runs.head import read_head

        facts = read_head(run)
        if json:
            print_json(facts)
            return
        known = facts["keys"] or {"server": None, "clients": None}
        rows = [
            ("run", facts["run"]),
            ("round", f"{facts['round']:,}"),
            ("head", facts["head"]),
            ("signature", facts["signature"] or "none: the run has no keys"),
            ("key of server", known["server"] or "none"),
        ]
        clients = known["clients"]
        if clients is None:
            rows.append(("keys of clients", "none: without proofs, clients have nothing to sign"))
        elif not keys:
            rows.append(
                ("keys of clients", f"{counted(len(clients), 'key')}; --keys prints them, --json as well")
            )
        else:
            rows += [(f"key of client {number}", key) for number, key in enumerate(clients)]
        print_rows(rows, width=16)
