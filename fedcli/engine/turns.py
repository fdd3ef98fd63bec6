"""Turns: which clients take part in a round, how much they train, and which of them are lost or late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fedcli.core.types import Tree


@dataclass(frozen=True)
class Turn:
    """One client's participation in a round.

    Args:
        client: its number.
        model: number of the round after which it received the model.
        steps: number of batches that it trains on; None for all that are planned.
        seconds: simulated seconds from the model's departure to the update's arrival; None without a clock.
        absence: why no update arrives; None if one does.
        staleness: number of server steps since the client received the model.
    """

    client: int
    model: int
    steps: int | None = None
    seconds: float | None = None
    absence: str | None = None
    staleness: int = 0


@dataclass(frozen=True)
class Turnout:
    """The clients of a round, in the order in which their updates are added.

    Args:
        turns: one for each client of the cohort.
        seconds: simulated duration of the round; None without a clock.
        underway: clients that are still training when the round ends; see `asynchronous`.
    """

    turns: Sequence[Turn]
    seconds: float | None = None
    underway: Tree = field(default_factory=dict)
