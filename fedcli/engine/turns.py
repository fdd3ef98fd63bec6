"""The turns of a round: who takes part, and what becomes of each client on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fedcli.core.types import Tree


@dataclass(frozen=True)
class Turn:
    """One client's part in a round.

    Args:
        client: its number.
        model: the round after which it received the model.
        steps: batches it trains for; None for all that are planned.
        seconds: simulated, from receiving the model to the arrival of its update; None without a clock.
        absence: why nothing of it arrives; None if it does.
        staleness: moves of the model since it received it.
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
        turns: one a client of the cohort.
        seconds: simulated duration of the round; None without a clock.
        underway: clients still at work when the round ends.
    """

    turns: Sequence[Turn]
    seconds: float | None = None
    underway: Tree = field(default_factory=dict)
