"""The server's desk: which outcomes enter the aggregate, and what is written down of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, final

import numpy as np
import numpy.typing as npt

from fedcli.core.metrics import prefixed, weighted_mean
from fedcli.core.sums import BlockSum
from fedcli.core.types import ClientUpdate, Outcome, Rejection, RoundContext, RoundState, Tree
from fedcli.parts import Parts

Row = dict[str, Any]
"""One line of metrics.jsonl or clients.jsonl."""

Watch = Callable[[int, int], None]
"""Told `(clients done, clients planned)` while a round runs; raises `RunInterrupted` to end it."""

Shelve = Callable[[int, int, Tree], Tree]
"""`(round, client, what it keeps)` -> the same, be it in memory or read from a file when it is used."""


def in_memory(_round: int, _client: int, tree: Tree) -> Tree:
    """Keeps a client's state in memory."""
    return tree


@final
class Arrivals:
    """Admits or rejects each outcome of a round while it streams by, and keeps what outlives it."""

    def __init__(
        self,
        parts: Parts,
        state: RoundState,
        context: RoundContext,
        planned: int,
        watch: Watch,
        shelve: Shelve = in_memory,
    ) -> None:
        self._parts, self._state, self._context = parts, state, context
        self._planned, self._watch, self._shelve = planned, watch, shelve
        self._statistics = BlockSum(state.statistics.size)
        self._weight = 0.0
        self.num_accepted = 0
        self.rows: list[Row] = []
        self.states: dict[int, Tree] = {}

    def accepted(self, outcomes: Iterable[Outcome]) -> Iterator[ClientUpdate]:
        """The updates that may enter the aggregate; the others are recorded with the reason."""
        self._watch(0, self._planned)
        for done, outcome in enumerate(outcomes, start=1):
            refused = self._refusal(outcome)
            self.rows.append(_client_row(self._context.round, outcome, refused))
            self._watch(done, self._planned)
            if refused is None and isinstance(outcome, ClientUpdate):
                self._keep(outcome)
                yield outcome

    def statistics(self) -> npt.NDArray[np.float64] | None:
        """Mean of the accepted clients' non-trainable weights, or None where nobody sent any."""
        return self._statistics.result() / self._weight if self._weight else None

    def summary(self) -> Row:
        """Counts, bytes and training metrics of the round."""
        accepted = [row for row in self.rows if "reason" not in row]
        names = [name for name in accepted[0] if name.startswith("train/")] if accepted else []
        means = weighted_mean(
            [{name: row[name] for name in names} for row in accepted], [row["examples"] for row in accepted]
        )
        extras = self._parts.strategy.server.broadcast(self._state.server).values()
        down = self._state.weights.nbytes + self._state.statistics.nbytes + sum(v.nbytes for v in extras)
        return {
            **means,
            "clients/planned": self._planned,
            "clients/finished": len(accepted),
            "clients/rejected": len(self.rows) - len(accepted),
            "examples": sum(row["examples"] for row in accepted),
            "bytes_up": sum(row.get("bytes_up", 0) for row in self.rows),
            "bytes_down": down * self._planned,
        }

    def _refusal(self, outcome: Outcome) -> str | None:
        if isinstance(outcome, Rejection):
            return outcome.reason
        for transform in self._parts.strategy.transforms:
            reason = transform.admit(outcome, self._state.transforms[transform.name], self._context)
            if reason is not None:
                return reason
        return None

    def _keep(self, update: ClientUpdate) -> None:
        self.num_accepted += 1
        if update.statistics.size:
            self._statistics.add(update.statistics, update.weight)
            self._weight += update.weight
        if update.state:
            self.states[update.client] = self._shelve(self._context.round, update.client, update.state)


def _client_row(round: int, outcome: Outcome, refused: str | None) -> Row:
    row: Row = {"round": round, "client": outcome.client}
    if isinstance(outcome, ClientUpdate):
        row |= {
            "examples": outcome.num_examples,
            "weight": outcome.weight,
            **prefixed("train", outcome.metrics),
        }
        row |= {"bytes_up": outcome.bytes_up, "seconds": outcome.seconds}
    return row if refused is None else row | {"reason": refused}
