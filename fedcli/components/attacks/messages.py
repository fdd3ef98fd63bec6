"""What was sent before, or by somebody else, passed off as a client's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

from fedcli.components.proofs.evidence import DIGEST
from fedcli.core.errors import ConfigError
from fedcli.core.rounds import ClientUpdate

What: TypeAlias = Literal["proof", "message"]


def require_what(what: What) -> None:
    """Refuse another word than the two."""
    if what not in ("proof", "message"):
        raise ConfigError(f"what is proof or message; received {what}.", key="what")


def passed_off(own: ClientUpdate, other: ClientUpdate, what: What) -> ClientUpdate:
    """A client's own message with the commitments and proofs of another one, or the other one whole."""
    if what == "message":
        return replace(
            own,
            payload=other.payload,
            weight=other.weight,
            num_examples=other.num_examples,
            attachments=other.attachments,
        )
    return replace(own, attachments={**other.attachments, DIGEST: own.attachments[DIGEST]})
