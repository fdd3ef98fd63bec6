"""Everything an experiment is made of, built once and handed to the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fedcli.callbacks import Callback
from fedcli.clients.schedules import Schedule
from fedcli.core.types import ClientRuntime, Cohort, Executor, ModelLayout, Strategy
from fedcli.data import Federation
from fedcli.privacy import Accountant


class EvaluationSettings(NamedTuple):
    """When and how the global model is evaluated.

    Args:
        every: rounds between evaluations. The last planned round, or the last one within a privacy budget, is
            evaluated as well; where a callback ends the run is known only after the round is committed.
        clients: evaluate on every client's validation part as well.
        batch_size: examples in one piece of the test set; pieces are shared out to the workers.
        higher_is_better: whether the worst client of a metric is the lowest, by metric.
    """

    every: int
    clients: bool
    batch_size: int
    higher_is_better: dict[str, bool]


@dataclass(frozen=True)
class Parts:
    """The parts of one experiment.

    Args:
        seed: root of all reproducible randomness.
        rounds: planned number of rounds.
        reproducible_noise: draw what protects people from the seed as well.
        accountant: of a run with a privacy event.
        average_decay: of a run that keeps a moving average of its model.
    """

    seed: int
    rounds: int
    federation: Federation
    runtime: ClientRuntime
    executor: Executor
    strategy: Strategy
    cohort: Cohort
    schedule: Schedule
    evaluation: EvaluationSettings
    layout: ModelLayout
    reproducible_noise: bool
    accountant: Accountant | None
    callbacks: Sequence[Callback]
    average_decay: float | None = None

    @property
    def num_clients(self) -> int:
        """Size of the population."""
        return int(self.federation.num_clients)

    @property
    def payload_size(self) -> int:
        """Length of one client's payload."""
        return self.strategy.trainer.payload_size(self.layout.trainable.size)

    @property
    def planned_weight(self) -> float | None:
        """The constant divisor of a run with a privacy event, which a rejected client cannot change."""
        return self.cohort.expected_size(self.num_clients) if self.strategy.privacy else None
