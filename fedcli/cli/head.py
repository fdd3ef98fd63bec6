"""`fedcli head`: the head of a run, in a form to publish."""

from __future__ import annotations

from fedcli.cli.output import Json, print_json, print_rows, reported
from fedcli.cli.run_argument import RunPath


def head(
    run: RunPath,
    json: Json = False,
) -> None:
    """Print the head of a run, the server's signature of it, and the public keys of all parties, to publish them.

    `fedcli verify RUN --keys FILE` later compares the run directory with the JSON that --json prints.
    """
    with reported():
        from fedcli.runs.head import read_head

        facts = read_head(run)
        if json:
            print_json(facts)
            return
        keys = facts["keys"] or {"server": None, "clients": None}
        rows = [
            ("run", facts["run"]),
            ("round", f"{facts['round']:,}"),
            ("head", facts["head"]),
            ("signature", facts["signature"] or "none: the run has no keys"),
            ("key of server", keys["server"] or "none"),
        ]
        clients = keys["clients"]
        if clients is None:
            rows.append(("keys of clients", "none: without proofs, clients have nothing to sign"))
        else:
            rows += [(f"key of client {number}", key) for number, key in enumerate(clients)]
        print_rows(rows, width=16)
