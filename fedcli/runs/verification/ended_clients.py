"""Clients that were ended after a time limit: what decides it is the machine, so that the run may not repeat."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from fedcli.core.rounds import OUT_OF_TIME
from fedcli.runs.verification.report import Finding
from fedcli.store import directory
from fedcli.store.files import logs
from fedcli.store.files.guarded import FileRefused

WHAT = "time limits"


def checked_time_limits(run: Path) -> Iterator[Finding]:
    """A note that names the clients that a time limit of the machine's clock ended; nothing without any."""
    first, count = None, 0
    # One after the other: a long run has millions of rows.
    with contextlib.suppress(FileRefused, ValueError):
        for row in logs.records(run / directory.CLIENTS):
            if str(row.get("reason", "")).startswith(OUT_OF_TIME):
                first, count = first or row, count + 1
    if first is None:
        return
    # A stranger's log may have anything of any length in their place.
    client, round = (str(first.get(name))[:20] for name in ("client", "round"))
    sentence = (
        f"{directory.CLIENTS} has {count} update{'s' * (count > 1)} that a time limit ended, first that of "
        f"client {client} in round {round}. What is late depends on the machine, so that the same config may give "
        "another model."
    )
    yield Finding(WHAT, None, directory.CLIENTS, sentence=sentence)
