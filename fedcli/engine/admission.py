"""Admission: checks the outcomes of a round, passes on the valid updates and records every client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count, islice
from typing import final

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ClientError
from fedcli.core.figures import joined
from fedcli.core.metrics import prefixed, weighted_mean
from fedcli.core.rounds import (
    Absence,
    Accepted,
    ClientUpdate,
    Outcome,
    Rejection,
    Report,
    RoundContext,
    RoundState,
)
from fedcli.core.sums import BLOCK, BlockSum
from fedcli.core.types import Tree
from fedcli.core.user_code import blamed
from fedcli.engine import ruin
from fedcli.engine.arrival_checks import ArrivalChecks, has_diverged, largest_of
from fedcli.engine.ports import Shelve, Watch, in_memory
from fedcli.engine.records import Row
from fedcli.engine.returned import has_numbers, is_measure, is_number
from fedcli.engine.setup import Assembly
from fedcli.engine.turns import Turn, Turnout


def _has_diverged(outcome: Outcome) -> bool:
    if isinstance(outcome, ClientUpdate):
        return has_diverged(outcome)
    return isinstance(outcome, Rejection) and outcome.diverged


def _in_one_line(reason: str) -> str:
    return "; ".join(line.strip() for line in reason.splitlines())


@final
class Arrivals:
    """Checks outcomes one by one as they stream in, and keeps only what is needed after the round.

    Updates are not collected: a cohort of large models would not fit in memory.
    """

    def __init__(
        self,
        assembly: Assembly,
        state: RoundState,
        context: RoundContext,
        present: Turnout,
        watch: Watch,
        shelve: Shelve = in_memory,
    ) -> None:
        self._assembly, self._state, self._context = assembly, state, context
        self._turns, self._watch, self._shelve = present.turns, watch, shelve
        self._checks = ArrivalChecks(
            assembly.strategy.transforms,
            # A worker that makes the checks has no secrets either.
            state.without_secrets().transforms,
            context,
            state.statistics.shape,
        )
        self._present = 0
        self._statistics = BlockSum(state.statistics.size)
        self._weight = 0.0
        self.num_accepted = 0
        self.with_attachments: list[Accepted] = []
        self.rows: list[Row] = []
        self.reports: list[Report] = []
        self.states: dict[int, Tree] = {}
        self.figures: Mapping[str, float] = {}
        self.sizes: dict[int, float] = {}
        strategy = assembly.strategy
        # Under privacy nothing may tell whose update was the largest; of a ciphertext or a blinding there is no size.
        self._sees_sizes = strategy.privacy is None and all(
            part.gives == "vector" for part in strategy.transforms
        )
        self._failed: list[Rejection] = []
        self._diverged: list[int] = []

    def accepted(self, outcomes: Iterable[Outcome]) -> Iterator[ClientUpdate]:
        """The valid updates; rejected ones are recorded with the reason."""
        turns = {turn.client: turn for turn in self._turns}
        for block in self._blocks(self._watched(outcomes)):
            for outcome, refused in zip(block, self._checks.reasons(block), strict=True):
                # A rejected client has worked as well, so its seconds and bytes count.
                number = self._present // BLOCK
                if not isinstance(outcome, Absence):
                    self._present += 1
                    self.figures = joined(self.figures, outcome.figures)
                if isinstance(outcome, Rejection) and outcome.failed:
                    self._failed.append(outcome)
                elif refused is not None and _has_diverged(outcome):
                    self._diverged.append(outcome.client)
                row = self._row(outcome, turns[outcome.client], refused)
                self.rows.append(
                    row | {"malicious": True} if outcome.client in self._assembly.malicious else row
                )
                if refused is None and isinstance(outcome, ClientUpdate):
                    self.reports.append(Report(outcome.client, outcome.num_examples, outcome.metrics))
                    self._keep(outcome)
                    yield replace(outcome, block=number)
                else:
                    self.reports.append(Report(outcome.client, reason=refused))
            # An update is added by now; the next one is not trained beside it.
            del block, outcome
        self._require_one_that_works()

    def _require_one_that_works(self) -> None:
        """Stop the run if the work of every client failed or diverged: what all have in common is wrong.

        A failure is told first: it has a line of code, and what diverged may come of an attack.
        """
        present = sum(turn.absence is None for turn in self._turns)
        if len(self._failed) + len(self._diverged) < present:
            return
        if self._failed:
            first = self._failed[0]
            raise ClientError(
                f"round {self._context.round}, client {first.client}: {first.reason}\n  {self._of_all(present)}"
            )
        # An attack may send nothing that is finite. A private run releases noise: who sent nothing is not to be seen.
        honest = [client for client in self._diverged if client not in self._assembly.malicious]
        if honest and self._assembly.strategy.privacy is None:
            raise ruin.of_every_client(self._context.round, len(self._diverged))

    def _of_all(self, present: int) -> str:
        if self._diverged:
            failed, others = len(self._failed), len(self._diverged)
            return f"Of {present} clients of the round {failed} failed, and {others} sent NaN or infinite values."
        return f"{'The only client' if present == 1 else f'All {present} clients'} of the round failed."

    def failures(self) -> str | None:
        """A sentence on the clients whose own work failed; None if there are none."""
        if not self._failed:
            return None
        first, others = self._failed[0], len(self._failed) - 1
        more = f" ({others} more in clients.jsonl)" if others else ""
        return f"failed: client {first.client}: {_in_one_line(first.reason)}{more}"

    def _watched(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        planned = len(self._turns)
        self._tell(0, planned)
        # No `enumerate`, which would hold the update while the next one is waited for.
        done = count(1)
        for outcome in outcomes:
            self._tell(next(done), planned)
            yield outcome
            del outcome

    def _tell(self, done: int, planned: int) -> None:
        # Outcomes are drawn by the aggregator, which is not to blame for whoever watches.
        with blamed("the watch of the progress", f"round {self._context.round}"):
            self._watch(done, planned)

    def _blocks(self, outcomes: Iterator[Outcome]) -> Iterator[list[Outcome]]:
        """Outcomes one by one, or `BLOCK` at a time if a transform checks several updates at once."""
        # A block is in memory as a whole, so it has one update unless checking several at once saves time.
        size = BLOCK if self._checks.are_made_together else 1
        while block := list(islice(outcomes, size)):
            yield block
            del block

    def statistics(self) -> npt.NDArray[np.float64] | None:
        """Mean of the accepted clients' non-trainable weights; None if no client sent any."""
        return self._statistics.result() / self._weight if self._weight else None

    def summary(self) -> Row:
        """Counts and bytes of the round, and the mean training metrics of its honest clients."""
        accepted = [row for row in self.rows if "reason" not in row]
        # Metrics are optional: an attacker or a custom runtime may send an update without them.
        honest = [row for row in accepted if "malicious" not in row]
        metrics = [{name: row[name] for name in row if name.startswith("train/")} for row in honest]
        reported = [pair for pair in zip(metrics, honest, strict=True) if pair[0]]
        means = weighted_mean([found for found, _ in reported], [row["examples"] for _, row in reported])
        absent = sum(turn.absence is not None for turn in self._turns)
        attackers = {"clients/malicious": sum("malicious" in row for row in self.rows)}
        return {
            **means,
            "clients/planned": len(self._turns),
            "clients/finished": len(accepted),
            "clients/rejected": len(self.rows) - len(accepted) - absent,
            **({"clients/absent": absent} if self._assembly.world.is_uneven else {}),
            **(attackers if self._assembly.world.adversary else {}),
            **self._staleness(),
            "examples": sum(row["examples"] for row in accepted),
            # A rejected update was sent all the same.
            "bytes_up": sum(row.get("bytes_up") or 0 for row in self.rows),
            # An absent client received the model before it was lost.
            "bytes_down": self._assembly.bytes_down * len(self._turns),
        }

    def _staleness(self) -> Row:
        if self._assembly.strategy.buffer is None:
            return {}
        values = [turn.staleness for turn in self._turns if turn.absence is None]
        return {"staleness/mean": sum(values) / max(len(values), 1), "staleness/max": max(values, default=0)}

    def _row(self, outcome: Outcome, turn: Turn, refused: str | None) -> Row:
        row: Row = {"round": self._context.round, "client": outcome.client}
        if isinstance(outcome, ClientUpdate):
            row |= {"examples": outcome.num_examples, "weight": outcome.weight}
            row |= prefixed("train", outcome.metrics)
            # Of an update that was refused for what it holds, only what a log can hold, and what can be added up.
            row = {name: value if is_number(value) else None for name, value in row.items()}
            measured = {"bytes_up": outcome.bytes_up, "seconds": outcome.seconds}
            row |= {name: value if is_measure(value) else None for name, value in measured.items()}
        if turn.steps is not None:
            row["steps"] = turn.steps
        if turn.seconds is not None:
            row["simulated_seconds"] = turn.seconds
        if self._assembly.strategy.buffer is not None:
            row["staleness"] = turn.staleness
        return row if refused is None else row | {"reason": _in_one_line(refused)}

    def _keep(self, update: ClientUpdate) -> None:
        self.num_accepted += 1
        if self._sees_sizes and has_numbers(update.payload):
            self.sizes[update.client] = largest_of(update)
        if update.attachments:
            figures = (update.client, update.weight, update.num_examples)
            # Without the payload: it is added to the sum as it arrives, and may be as large as the model.
            self.with_attachments.append(Accepted(*figures, update.attachments))
        if update.statistics.size:
            self._statistics.add(update.statistics, update.weight)
            self._weight += update.weight
        if update.state:
            # Stored at once, because the states of a large cohort would not fit in memory either.
            self.states[update.client] = self._shelve(self._context.round, update.client, update.state)
