"""What an experiment is made of: four records that are planned with NumPy alone, and what TensorFlow adds to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fedcli.components.attacks.attack import Adversary
from fedcli.components.callbacks.callback import Callback
from fedcli.components.clients.runtime.batches import BatchPlan
from fedcli.components.clients.runtime.task import TrainingTask
from fedcli.components.clients.schedules import Schedule
from fedcli.components.data import Federation
from fedcli.components.data.preprocessing.preprocessor import ExampleNoise
from fedcli.components.devices import Devices
from fedcli.components.encryption.scheme import Encryption
from fedcli.components.models.architecture import Architecture
from fedcli.config import Experiment
from fedcli.core.contracts import Cohort, Strategy
from fedcli.core.roles import Executor
from fedcli.core.rounds import ModelLayout
from fedcli.engine.client_work import Clients
from fedcli.privacy import Accountant


class Participation(NamedTuple):
    """What becomes of a cohort between its draw and the arrival of its updates.

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
        every: rounds between evaluations. The last round of a run is evaluated as well.
        clients: evaluate on every client's validation part as well.
        batch_size: examples in one piece of the test set; pieces are shared out to the workers.
        higher_is_better: whether the worst client of a metric is the lowest, by metric.
    """

    every: int
    clients: bool
    batch_size: int
    higher_is_better: dict[str, bool]


class DataNoise(NamedTuple):
    """Noise on the clients' own examples.

    Args:
        protection: the step that adds it.
        key: what it is drawn from; None where the seed gives it.
    """

    protection: ExampleNoise
    key: bytes | None


class World(NamedTuple):
    """Who there is: the clients with their data and devices, who takes part, and who attacks.

    Args:
        federation: the clients' data.
        cohort: which clients take part in a round.
        participation: what becomes of them on the way.
        devices: of the simulated clock, where there is one.
        adversary: the malicious clients, where there are any.
        data_noise: noise on the clients' own examples, where there is any.
    """

    federation: Federation
    cohort: Cohort
    participation: Participation
    devices: Devices | None = None
    adversary: Adversary | None = None
    data_noise: DataNoise | None = None

    @property
    def is_uneven(self) -> bool:
        """Whether some clients of a cohort may send nothing."""
        settings = self.participation
        return self.devices is not None or settings.dropout > 0 or settings.stragglers > 0


class Training(NamedTuple):
    """What one client does with its data.

    Args:
        architecture: of the model.
        task: loss and metrics.
        schedule: of the learning rate, over the rounds.
        batches: how long a client trains in a round.
        sends_statistics: whether clients send their non-trainable weights.
    """

    architecture: Architecture
    task: TrainingTask
    schedule: Schedule
    batches: BatchPlan
    sends_statistics: bool = False


class Protocol(NamedTuple):
    """What happens to updates between clients and server, and what is promised of it.

    Args:
        strategy: with all that protects its updates.
        accountant: of a run with a privacy event.
        encryption: as it was planned, of a run that encrypts.
        reproducible_noise: draw what protects people from the seed as well.
        publishes_noised_only: leave every figure that was not noised out of the records.
    """

    strategy: Strategy
    accountant: Accountant | None = None
    encryption: Encryption | None = None
    reproducible_noise: bool = False
    publishes_noised_only: bool = False


class RunPlan(NamedTuple):
    """How long a run goes on and what is measured.

    Args:
        seed: root of all reproducible randomness.
        rounds: planned number of rounds.
        evaluation: when and how.
        average_decay: of a run that keeps a moving average of its model.
    """

    seed: int
    rounds: int
    evaluation: EvaluationSettings
    average_decay: float | None = None


@dataclass(frozen=True)
class Setup:
    """An experiment before TensorFlow is loaded.

    Args:
        experiment: the config that it was planned from, with the noise multiplier that was calculated.
        world: who there is.
        training: what one client does.
        protocol: what happens to updates.
        run: how long, and what is measured.
    """

    experiment: Experiment
    world: World
    training: Training
    protocol: Protocol
    run: RunPlan

    @property
    def num_clients(self) -> int:
        """Size of the population."""
        return int(self.world.federation.num_clients)

    @property
    def model_outputs(self) -> int:
        """Values that the model returns for an example."""
        return 1 if self.training.task.is_binary else self.world.federation.num_outputs


@dataclass(frozen=True)
class Assembly:
    """A setup whose model is built and whose client program is compiled: what the engine runs.

    Args:
        setup: as it was planned.
        layout: how the model's variables are ordered in the vectors of a state.
        clients: the clients' side.
        executor: where it runs.
        callbacks: of the run.
        run_id: names the run; random, and the same when it is resumed.
    """

    setup: Setup
    layout: ModelLayout
    clients: Clients
    executor: Executor
    callbacks: Sequence[Callback] = ()
    run_id: str = ""

    @property
    def world(self) -> World:
        """Who there is."""
        return self.setup.world

    @property
    def training(self) -> Training:
        """What one client does."""
        return self.setup.training

    @property
    def protocol(self) -> Protocol:
        """What happens to updates."""
        return self.setup.protocol

    @property
    def run(self) -> RunPlan:
        """How long, and what is measured."""
        return self.setup.run

    @property
    def strategy(self) -> Strategy:
        """The strategy with all that protects its updates."""
        return self.setup.protocol.strategy

    @property
    def num_clients(self) -> int:
        """Size of the population."""
        return self.setup.num_clients

    @property
    def malicious(self) -> frozenset[int]:
        """The malicious clients."""
        adversary = self.world.adversary
        return adversary.clients if adversary else frozenset()

    @property
    def payload_size(self) -> int:
        """Length of one client's payload."""
        return self.strategy.payload_size(self.layout.trainable.size)

    @property
    def leaves_evidence(self) -> bool:
        """Whether each round leaves what it can be checked by afterwards."""
        return any(part.leaves_evidence for part in self.strategy.transforms)

    @property
    def bytes_up(self) -> int:
        """Bytes that one client sends in a round."""
        return self.strategy.bytes_up(self.layout.trainable.size) + 4 * self._statistics_sent

    @property
    def bytes_down(self) -> int:
        """Bytes that one client receives in a round."""
        vectors = 1 + len(self.strategy.trainer.receives)
        return 4 * (vectors * self.layout.trainable.size + self._statistics_sent)

    @property
    def planned_weight(self) -> float | None:
        """The constant divisor of a run with a privacy event, which a rejected client cannot change."""
        return self.world.cohort.expected_size(self.num_clients) if self.strategy.privacy else None

    @property
    def _statistics_sent(self) -> int:
        return self.layout.statistics.size if self.training.sends_statistics else 0
