"""Costs of a round's encryption, as columns of metrics.jsonl."""

from __future__ import annotations

from fedcli.core.figures import Tally

ENCRYPT_SECONDS = "encryption/encrypt_seconds"
ADD_SECONDS = "encryption/add_seconds"
OPEN_SECONDS = "encryption/open_seconds"
BYTES_OPENING = "encryption/bytes_opening"
ATTEMPTS = "encryption/attempts"
MEMBERS_LOST = "encryption/members_lost"


def new_tally(*columns: str) -> Tally:
    """The tally of a round on the server's side, with the columns of every scheme and those of one scheme at 0."""
    return Tally(ENCRYPT_SECONDS, ADD_SECONDS, OPEN_SECONDS, BYTES_OPENING, ATTEMPTS, *columns)
