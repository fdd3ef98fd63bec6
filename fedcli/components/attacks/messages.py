"""Messages of an earlier round or of another client, sent as a client's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

from fedcli.components.proofs.evidence import DIGEST
from fedcli.core.errors import ConfigError
from fedcli.core.rounds import ClientUpdate

What: TypeAlias = Literal["proof", "message"]


def require_what(what: What) -> None:
    """Refuse a value other than `proof` and `message`.

    Raises:
        ConfigError: with `what` as its key.
    """
    if what not in ("proof", "message"):
        raise ConfigError(f"what is proof or message; received {what}.", key="what")


def passed_off(own: ClientUpdate, other: ClientUpdate, what: What) -> ClientUpdate:
    """A client's own message with the commitments and proofs of another, or with all of its content."""
    if what == "message":
        return replace(
            own,
            payload=other.payload,
            weight=other.weight,
            num_examples=other.num_examples,
            attachments=other.attachments,
        )
    # The digest is that of the client's own payload; with another one the proof would not even be verified.
    return replace(own, attachments={**other.attachments, DIGEST: own.attachments[DIGEST]})
