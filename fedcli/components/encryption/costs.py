"""Costs of a round's encryption, as columns of metrics.jsonl."""

from __future__ import annotations

from fedcli.core.column import Column, Live
from fedcli.core.figures import Tally

ENCRYPT_SECONDS = "encryption/encrypt_seconds"
ADD_SECONDS = "encryption/add_seconds"
OPEN_SECONDS = "encryption/open_seconds"
BYTES_OPENING = "encryption/bytes_opening"
ATTEMPTS = "encryption/attempts"
MEMBERS_LOST = "encryption/members_lost"

OF_CLIENTS, OF_SERVER = "components/encryption/encrypt.py", "components/encryption/costs.py"
COLUMNS = (
    Column(
        ENCRYPT_SECONDS,
        "time to encrypt, summed over all clients",
        OF_CLIENTS,
        unit="seconds",
        better="down",
        live=Live("encrypted {value:.1f} s"),
    ),
    Column(ADD_SECONDS, "time to check and add what was sent", OF_SERVER, unit="seconds", better="down"),
    Column(
        OPEN_SECONDS,
        "time to decrypt the sum",
        OF_SERVER,
        unit="seconds",
        better="down",
        live=Live("opened {value:.1f} s", "comma"),
    ),
    Column(BYTES_OPENING, "what was sent to decrypt the sum", OF_SERVER, unit="bytes", better="down"),
    Column(ATTEMPTS, "attempts to decrypt the sum", OF_SERVER, unit="attempts", better="down"),
)
"""The columns of every scheme."""
OF_COMMITTEES = Column(
    MEMBERS_LOST,
    "committee members that were away or did not answer (`threshold`)",
    OF_SERVER,
    unit="members",
    better="down",
    live=Live("{value} members lost", "brackets"),
)


def new_tally(*columns: str) -> Tally:
    """A tally of a round at 0, with the columns of every scheme and the `columns` of one."""
    return Tally(ENCRYPT_SECONDS, ADD_SECONDS, OPEN_SECONDS, BYTES_OPENING, ATTEMPTS, *columns)
