"""Setup and assembly of an experiment: four records that are planned with NumPy alone, and what TensorFlow adds."""

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
from fedcli.core.concealment import concealed
from fedcli.core.contracts import Cohort, Strategy
from fedcli.core.roles import Executor
from fedcli.core.rounds import Identities, ModelLayout
from fedcli.engine.client_side import Clients
from fedcli.privacy import Accountant


class Participation(NamedTuple):
    """Clients that are lost, slow or late: the settings of a simulated network.

    Args:
        dropout: probability that a client of the cohort sends nothing.
        stragglers: share of the cohort that can do only a part of its work.
        deadline: seconds on the simulated clock after which the server stops waiting.
        wait_for: number of updates after which the server stops waiting.
        keeps_partial_work: whether the update of a client that did a part of its work is used.
        rejects_failures: whether a client whose own work fails is rejected; otherwise the run is stopped.
    """

    dropout: float = 0.0
    stragglers: float = 0.0
    deadline: float | None = None
    wait_for: int | None = None
    keeps_partial_work: bool = False
    rejects_failures: bool = True


class EvaluationSettings(NamedTuple):
    """Settings of evaluation.

    Args:
        every: rounds between evaluations. The last round of a run is evaluated as well.
        clients: whether to evaluate on each client's validation examples as well; a number for a sample of so many.
        batch_size: examples that are evaluated at once; the executor runs such pieces in parallel.
        higher_is_better: by metric; decides which client is the worst.
    """

    every: int
    clients: bool | int
    batch_size: int
    higher_is_better: dict[str, bool]


class DataNoise(NamedTuple):
    """Noise on the clients' own examples.

    Args:
        protection: the preprocessing step that adds it.
        key: 32 bytes that the noise is drawn from; None if it is drawn from the seed.
    """

    protection: ExampleNoise
    key: bytes | None

    def __repr__(self) -> str:
        return concealed(self, bytes_of_key=len(self.key or b""))


class World(NamedTuple):
    """The simulated population: clients with their data and devices, sampling of cohorts, and attackers.

    Args:
        federation: the clients' data.
        cohort: samples the clients of a round.
        participation: clients that are lost, slow or late.
        devices: speeds of the clients' devices; None without a simulated clock.
        adversary: the malicious clients and their attack; None without one.
        data_noise: noise on the clients' examples; None without it.
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
    """Settings of local training.

    Args:
        architecture: builds the model.
        task: loss and metrics.
        schedule: factor of the learning rate by round.
        batches: batch size, and number of epochs or steps of a round.
        sends_statistics: whether clients send their non-trainable weights.
    """

    architecture: Architecture
    task: TrainingTask
    schedule: Schedule
    batches: BatchPlan
    sends_statistics: bool = False


class Protocol(NamedTuple):
    """How updates are protected and combined, and which privacy guarantee follows.

    Args:
        strategy: with all transforms around it: compression, fixed point, encryption, proofs.
        accountant: computes epsilon; None if the run is not private.
        encryption: with its planned parameters; None without encryption.
        reproducible_noise: whether noise is drawn from the seed instead of the operating system.
        publishes_noised_only: whether figures without noise are left out of the records.
    """

    strategy: Strategy
    accountant: Accountant | None = None
    encryption: Encryption | None = None
    reproducible_noise: bool = False
    publishes_noised_only: bool = False


class RunPlan(NamedTuple):
    """Length of a run, and what is measured.

    Args:
        seed: root seed of all reproducible randomness.
        rounds: planned number of rounds.
        evaluation: when and on what the model is evaluated.
        average_decay: decay of the moving average of the model; None without one.
    """

    seed: int
    rounds: int
    evaluation: EvaluationSettings
    average_decay: float | None = None


# Apart from `Assembly`, so that a plan that cannot work is refused before TensorFlow's import, which takes seconds.
@dataclass(frozen=True)
class Setup:
    """An experiment before TensorFlow is loaded.

    Args:
        experiment: the config, with the calibrated noise multiplier if it had none.
        world: the simulated population.
        training: settings of local training.
        protocol: how updates are protected and combined.
        run: length of the run, and what is measured.
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
    def updates_per_round(self) -> float:
        """Planned updates of a round; an asynchronous one ends when its buffer is full, whoever is still at work."""
        buffer = self.protocol.strategy.buffer
        return float(buffer.size) if buffer else self.world.cohort.expected_size(self.num_clients)

    @property
    def model_outputs(self) -> int:
        """Number of outputs of the model for one example."""
        return 1 if self.training.task.is_binary else self.world.federation.num_outputs

    @property
    def has_public_test(self) -> bool:
        """Whether the test set holds no rows of clients; a custom federation that does not say counts as one with."""
        return bool(getattr(self.world.federation, "has_public_test", False))

    def bytes_up(self, num_parameters: int, num_statistics: int) -> int:
        """Bytes that one client sends in a round, from the numbers of trainable and non-trainable weights."""
        return self.protocol.strategy.bytes_up(num_parameters) + self._statistics_bytes(num_statistics)

    def bytes_down(self, num_parameters: int, num_statistics: int) -> int:
        """Bytes that one client receives in a round."""
        # Always float32: compression and encryption act on updates, not on what the server sends.
        vectors = 1 + len(self.protocol.strategy.trainer.receives)
        return 4 * vectors * num_parameters + self._statistics_bytes(num_statistics)

    def _statistics_bytes(self, num_statistics: int) -> int:
        return 4 * num_statistics if self.training.sends_statistics else 0


@dataclass(frozen=True)
class Assembly:
    """A setup with a built model and a compiled client program, ready for the engine.

    Args:
        setup: the planned experiment.
        layout: names and shapes of the model's variables, in the order of the vectors of a `RoundState`.
        clients: what does the clients' work.
        executor: runs that work.
        callbacks: called between rounds.
        run_id: random identifier of the run, kept when it is resumed.
        config_digest: SHA-256 of the run's config.yaml; empty in runs whose proofs are not bound to it.
        identities: the signing keys of the clients; None in runs without signatures.
        gives_probabilities: whether the model's last layer turns logits into probabilities.
    """

    setup: Setup
    layout: ModelLayout
    clients: Clients
    executor: Executor
    callbacks: Sequence[Callback] = ()
    run_id: str = ""
    config_digest: bytes = b""
    identities: Identities | None = None
    gives_probabilities: bool = False

    @property
    def world(self) -> World:
        """The simulated population."""
        return self.setup.world

    @property
    def training(self) -> Training:
        """Settings of local training."""
        return self.setup.training

    @property
    def protocol(self) -> Protocol:
        """How updates are protected and combined."""
        return self.setup.protocol

    @property
    def run(self) -> RunPlan:
        """Length of the run, and what is measured."""
        return self.setup.run

    @property
    def strategy(self) -> Strategy:
        """The strategy with all transforms around it."""
        return self.setup.protocol.strategy

    @property
    def num_clients(self) -> int:
        """Size of the population."""
        return self.setup.num_clients

    @property
    def malicious(self) -> frozenset[int]:
        """Numbers of the malicious clients."""
        adversary = self.world.adversary
        return adversary.clients if adversary else frozenset()

    @property
    def payload_size(self) -> int:
        """Number of coordinates of one client's payload."""
        return self.strategy.payload_size(self.layout.trainable.size)

    @property
    def leaves_evidence(self) -> bool:
        """Whether each round leaves files by which `fedcli verify` can check it."""
        return any(part.leaves_evidence for part in self.strategy.transforms)

    @property
    def bytes_up(self) -> int:
        """Bytes that one client sends in a round."""
        return self.setup.bytes_up(self.layout.trainable.size, self.layout.statistics.size)

    @property
    def bytes_down(self) -> int:
        """Bytes that one client receives in a round."""
        return self.setup.bytes_down(self.layout.trainable.size, self.layout.statistics.size)

    @property
    def planned_weight(self) -> float | None:
        """The constant divisor of a private run; None for others, which divide by the sum of the weights."""
        # The sensitivity of a mean over a realised cohort would depend on who took part.
        return self.world.cohort.expected_size(self.num_clients) if self.strategy.privacy else None
