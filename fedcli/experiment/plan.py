"""The first stage of building: from the names in an `Experiment` to every part that needs NumPy only.

It is what `fedcli check` prints; `assembly.py` does the rest.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from fedcli.components.attacks.attack import Adversary, Attack, DataForm
from fedcli.components.clients.runtime.batches import BatchPlan
from fedcli.components.clients.runtime.task import Task, task_for
from fedcli.components.clients.schedules import Schedule
from fedcli.components.data import CheckedFederation, Dataset, Federation, federate
from fedcli.components.data.federation import NoiseKey
from fedcli.components.data.preprocessing import Protection
from fedcli.components.devices import Devices
from fedcli.components.encryption.scheme import Encryption
from fedcli.components.models.architecture import Architecture
from fedcli.config import Client, Experiment, Part, installed, resolve
from fedcli.core.contracts import Cohort, Strategy, TrainerSpec
from fedcli.core.errors import ConfigError
from fedcli.core.seeds import SERVER, generator, seed
from fedcli.crypto.noise import KEY_BYTES
from fedcli.engine.adversary import malicious_clients
from fedcli.experiment.compatibility import attacks, early_stop, pipeline, privacy
from fedcli.experiment.make import call, make, placed
from fedcli.experiment.protection import encryption as encrypting
from fedcli.experiment.protection.encryption import planned_encryption
from fedcli.experiment.protection.fixed_point import check_sum
from fedcli.experiment.protection.order import calibrated, strategy_of
from fedcli.experiment.protection.proofs import NOT_REVIEWED
from fedcli.privacy import Accountant, accountant_for
from fedcli.privacy.words import warnings


class DataNoise(NamedTuple):
    """Noise on the clients' own examples.

    Args:
        protection: the step that adds it.
        key: what it is drawn from; None where the seed gives it.
    """

    protection: Protection
    key: bytes | None


@dataclass(frozen=True)
class Plan:
    """What is known of an experiment before TensorFlow is loaded.

    Its experiment has the noise multiplier that was calculated, where the config leaves it to epsilon.
    """

    experiment: Experiment
    federation: Federation
    architecture: Architecture
    task: Task
    strategy: Strategy
    cohort: Cohort
    schedule: Schedule
    batches: BatchPlan
    accountant: Accountant | None
    devices: Devices | None
    adversary: Adversary | None
    data_noise: DataNoise | None
    encryption: Encryption | None

    @property
    def model_outputs(self) -> int:
        """Values that the model returns for an example."""
        return 1 if self.task.is_binary else self.federation.num_outputs

    @property
    def warnings(self) -> list[str]:
        """What a person should know before the run, though it is allowed."""
        unreviewed = [NOT_REVIEWED] if self.experiment.proofs else []
        own = [
            *encrypting.warnings(
                self.encryption,
                dropout=self.experiment.participation.dropout,
                cohort=self.cohort.expected_size(self.federation.num_clients),
            ),
            *unreviewed,
        ]
        event, target = self.strategy.privacy_event, self.strategy.privacy
        if event is None or target is None:
            return own
        sampling = self.cohort.sampling(self.federation.num_clients)
        return [*own, *warnings(event, sampling, target.delta, encryption=self.encryption)]

    @property
    def num_parameters(self) -> int | None:
        """Trainable weights, where they can be told without building the model."""
        count, model = self.architecture.num_parameters, self.experiment.model
        if count is None or model.trainable is not None or model.initial_weights is not None:
            return None
        if self.strategy.trainer.personal is not None:
            return None
        with placed("model"):
            return count(self.federation.input_shape, self.model_outputs)


def plan(experiment: Experiment, strategy: Strategy | None = None, *, data_key: bytes | None = None) -> Plan:
    """Load the data and make every part that does not need TensorFlow.

    Args:
        experiment: what the config says.
        strategy: takes the place of the one that the config names.
        data_key: the key of the noise on the clients' data, of a run that has drawn it before.

    Raises:
        ConfigError: with the key of the value that cannot be used.
    """
    federation, data_noise = _federation(experiment, data_key)
    given, strategy = strategy, strategy_of(experiment, strategy)
    cohort = make("cohort", experiment.cohort, kind=Cohort)
    with placed("cohort"):
        sampling = cohort.sampling(federation.num_clients)
    pipeline.check(strategy, cohort, experiment, num_clients=federation.num_clients)
    check_sum(experiment.fixed_point, num_clients=federation.num_clients)
    if given is None and strategy.privacy is not None and not strategy.privacy.is_calibrated:
        experiment = calibrated(experiment, sampling, strategy.privacy)
        strategy = strategy_of(experiment)
    encryption = planned_encryption(strategy, experiment, cohort=cohort, num_clients=federation.num_clients)
    if encryption is not None:
        strategy = strategy_of(experiment, given, encryption=encryption)
    event = strategy.privacy_event
    client, task = experiment.client, _task(experiment, federation)
    made = Plan(
        experiment,
        federation,
        _architecture(experiment.model.part),
        task,
        strategy,
        cohort,
        make("client.schedule", client.schedule),
        _batches(client, strategy.trainer),
        accountant_for(event, sampling) if event else None,
        None if experiment.devices is None else make("devices", experiment.devices, kind=Devices),
        _adversary(experiment, federation),
        data_noise,
        encryption,
    )
    privacy.check_everybody_trains(strategy, federation.num_train)
    attacks.check(made.adversary, strategy, cohort, task.metrics, num_clients=federation.num_clients)
    make("client.optimizer", client.optimizer)
    early_stop.check(experiment, strategy, made.adversary, figures=task.names)
    _check_size(made)
    if made.architecture.num_parameters is not None:
        with placed("model"):
            made.architecture.num_parameters(federation.input_shape, made.model_outputs)
    return made


def _check_size(made: Plan) -> None:
    """Refuse what a model is too large for, where its size is known without building it."""
    count = made.num_parameters
    if count is None:
        return
    for part, size in zip(made.strategy.transforms, made.strategy.payload_sizes(count), strict=False):
        # What works on integers has limits, and no state as large as the model.
        if part.takes == "integers":
            part.init(size)


def _federation(experiment: Experiment, key: bytes | None) -> tuple[Federation, DataNoise | None]:
    root, data = experiment.seed, experiment.data
    dataset = make("data", data.part, seed(root, 0, SERVER, "data"))
    if not isinstance(dataset, Dataset):
        return _own_federation(dataset, data.partition), None
    if data.partition is None:
        raise ConfigError(
            "this dataset must be dealt out to clients; data.partition is missing.",
            key="data.partition",
            hint="Add for example partition: {name: iid, clients: 10}.",
        )
    rng = generator(root, 0, SERVER, "partition")
    partition = make("data.partition", data.partition, dataset, rng)
    steps = [
        make("data.preprocessing", part, key=f"data.preprocessing.{index}")
        for index, part in enumerate(data.preprocessing)
    ]
    if experiment.privacy.publish == "noised-only" and any(step.pool for step in steps):
        raise ConfigError(
            "a step that is fitted prepares the test set by statistics pooled over the clients, without noise; "
            "privacy.publish is noised-only.",
            key="data.preprocessing",
            hint="Use steps with constants, such as scale, or privacy.publish: all.",
        )
    protections = [step.protection for step in steps if step.protection is not None]
    seeded = experiment.privacy.reproducible_noise
    if protections and key is None and not seeded:
        key = secrets.token_bytes(KEY_BYTES)
    with placed("data"):
        federation = federate(
            dataset,
            partition,
            preprocessing=steps,
            validation_fraction=data.validation_fraction,
            root_seed=root,
            noise_key=_seeded_keys(root) if key is None else _keys(key),
        )
    return federation, DataNoise(protections[0], None if seeded else key) if protections else None


def _keys(key: bytes) -> NoiseKey:
    return lambda client, part: hmac.digest(key, f"{client}:{part}".encode(), "sha256")


def _seeded_keys(root: int) -> NoiseKey:
    return lambda client, part: generator(root, 0, client, f"noise on {part} data").bytes(KEY_BYTES)


def _own_federation(made: Any, partition: Part | None) -> Federation:
    if not all(hasattr(made, name) for name in vars(Federation) if not name.startswith("_")):
        raise ConfigError(
            f"the factory returned a {type(made).__name__}; a fedcli Dataset or Federation is expected.",
            key="data.name",
        )
    if partition is not None:
        raise ConfigError(
            "the factory returned a Federation, which is dealt out already; a partition has no effect.",
            key="data.partition",
            hint="Remove data.partition.",
        )
    return CheckedFederation(cast(Federation, made))


def _task(experiment: Experiment, federation: Federation) -> Task:
    task = task_for(federation.task, experiment.task.loss, experiment.task.metrics)
    outputs = 2 if federation.task == "classification" else 1
    if task.is_binary and federation.num_outputs != outputs:
        raise ConfigError(
            f"{task.loss} is for two classes, told apart by one output; the data has {federation.num_outputs}.",
            key="task.loss",
            hint="Use sparse_categorical_crossentropy, or data of two classes.",
        )
    return task


def _adversary(experiment: Experiment, federation: Federation) -> Adversary | None:
    section = experiment.attack
    if section is None:
        return None
    form = DataForm(federation.task, federation.num_outputs, federation.input_shape)
    attack: Attack = make("attack", section.part, form, kind=Attack)
    with placed("attack"):
        clients = malicious_clients(
            section.share, section.clients, num_clients=federation.num_clients, root=experiment.seed
        )
    return Adversary(attack, clients)


def _architecture(part: Part) -> Architecture:
    with placed("model"):
        factory = resolve(installed("model"), part.name)
        if part.name in installed("model"):
            return cast(Architecture, factory(**part.parameters))

    def build(*supplied: Any) -> Any:
        return call(factory, supplied, part.parameters)

    return Architecture(build, None)


def _batches(client: Client, trainer: TrainerSpec) -> BatchPlan:
    if trainer.privacy is not None:
        return BatchPlan(client.batch_size, None, trainer.privacy.steps, trainer.privacy.rate)
    return BatchPlan(client.batch_size, *((1, None) if trainer.one_pass else (client.epochs, client.steps)))
