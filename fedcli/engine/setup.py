"""Everything an experiment is made of, built once and handed to the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fedcli.components.attacks.attack import Adversary
from fedcli.components.callbacks.callback import Callback
from fedcli.components.clients.runtime.batches import BatchPlan
from fedcli.components.clients.schedules import Schedule
from fedcli.components.data import Federation
from fedcli.components.devices import Devices
from fedcli.components.encryption.scheme import Keys
from fedcli.core.contracts import Cohort, Strategy
from fedcli.core.privacy_events import is_noised_by_clients
from fedcli.core.roles import ClientRuntime, Executor
from fedcli.core.rounds import ModelLayout
from fedcli.privacy import Accountant


class Participation(NamedTuple):
    """What becomes of a cohort between its draw and the server's desk.

    Args:
        dropout: probability that a client of the cohort sends nothing.
        stragglers: share of the cohort that can do only a part of its work.
        deadline: simulated seconds after which the server waits no longer.
        wait_for: updates after which the server waits no longer.
        keeps_partial_work: whether unfinished work is used.
    """

    dropout: float = 0.0
    stragglers: float = 0.0
    deadline: float | None = None
    wait_for: int | None = None
    keeps_partial_work: bool = False


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
        batches: how long a client trains in a round.
        sends_statistics: whether clients send their non-trainable weights.
        reproducible_noise: draw what protects people from the seed as well.
        accountant: of a run with a privacy event.
        devices: the simulated clock's, where there is one.
        adversary: the malicious clients, where the run has any.
        average_decay: of a run that keeps a moving average of its model.
        publishes_noised_only: leave every figure that was not noised out of the records.
        run: names the run.
        keys: of a run that encrypts.
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
    batches: BatchPlan
    sends_statistics: bool
    reproducible_noise: bool
    accountant: Accountant | None
    callbacks: Sequence[Callback]
    participation: Participation
    devices: Devices | None = None
    adversary: Adversary | None = None
    average_decay: float | None = None
    publishes_noised_only: bool = False
    run: str = ""
    keys: Keys | None = None

    @property
    def num_clients(self) -> int:
        """Size of the population."""
        return int(self.federation.num_clients)

    @property
    def malicious(self) -> frozenset[int]:
        """The malicious clients."""
        return self.adversary.clients if self.adversary else frozenset()

    @property
    def payload_size(self) -> int:
        """Length of one client's payload."""
        return self.strategy.payload_size(self.layout.trainable.size)

    @property
    def leaves_evidence(self) -> bool:
        """Whether each round leaves what it can be checked by afterwards."""
        return any(part.leaves_evidence for part in self.strategy.transforms)

    @property
    def is_noised_by_clients(self) -> bool:
        """Whether a round releases something as soon as the first client has sent its update."""
        declared = [self.strategy.trainer.privacy, *(part.privacy for part in self.strategy.transforms)]
        return any(is_noised_by_clients(event) for event in declared)

    @property
    def is_uneven(self) -> bool:
        """Whether some clients of a cohort may not come through."""
        return self.devices is not None or self.participation.dropout > 0 or self.participation.stragglers > 0

    @property
    def planned_bytes_up(self) -> int:
        """Bytes that one client sends in a round."""
        statistics = self.layout.statistics.size if self.sends_statistics else 0
        return self.strategy.bytes_up(self.layout.trainable.size) + 4 * statistics

    @property
    def planned_bytes_down(self) -> int:
        """Bytes that one client receives in a round."""
        vectors = 1 + len(self.strategy.trainer.receives)
        statistics = self.layout.statistics.size if self.sends_statistics else 0
        return 4 * (vectors * self.layout.trainable.size + statistics)

    @property
    def planned_weight(self) -> float | None:
        """The constant divisor of a run with a privacy event, which a rejected client cannot change."""
        return self.cohort.expected_size(self.num_clients) if self.strategy.privacy else None
