"""The planning stage: from an `Experiment` to a `Setup`, with NumPy alone.

`fedcli check` ends here, so it does not wait for TensorFlow; `assemble.py` is the second stage.
"""

from __future__ import annotations

import numpy as np

from fedcli.components.attacks.attack import Adversary, Attack, DataForm
from fedcli.components.clients.optimizers import Optimizer
from fedcli.components.clients.runtime.batches import BatchPlan
from fedcli.components.clients.runtime.task import TrainingTask, higher_is_better, task_for
from fedcli.components.clients.schedules import Schedule
from fedcli.components.data import CheckedFederation, Federation
from fedcli.components.devices import Devices
from fedcli.components.executors import CHECKS as EXECUTOR_CHECKS
from fedcli.config import Client, Experiment
from fedcli.core.contracts import Strategy, TrainerSpec
from fedcli.core.errors import ConfigError
from fedcli.engine.adversary import malicious_clients
from fedcli.engine.setup import (
    EvaluationSettings,
    Participation,
    Protocol,
    RunPlan,
    Setup,
    Training,
    World,
)
from fedcli.experiment.built_model import architecture_of
from fedcli.experiment.compatibility import attacks, early_stop, privacy, single_examples
from fedcli.experiment.federation import federation_of
from fedcli.experiment.make import make, placed
from fedcli.experiment.planned_files import (
    ModelSizes,
    check_arrays,
    check_signers,
    warnings_of_arrays,
    warnings_of_lists,
)
from fedcli.experiment.planned_protocol import planned_protocol
from fedcli.experiment.protection.encryption import warnings as encryption_warnings
from fedcli.experiment.protection.order import recipe
from fedcli.experiment.protection.privacy_document import private_plan_of, promise_of
from fedcli.experiment.protection.proofs import NOT_REVIEWED
from fedcli.privacy.words import warnings as privacy_warnings


def plan(experiment: Experiment, strategy: Strategy | None = None, *, data_key: bytes | None = None) -> Setup:
    """Load the data and build every component that does not need TensorFlow.

    Args:
        experiment: the config.
        strategy: replaces the strategy of the config.
        data_key: key of the noise on the clients' data, if a run has drawn it before.

    Raises:
        ConfigError: with the key of a value that cannot be used.
    """
    # It is built with TensorFlow. A custom one checks its own.
    if experiment.executor.name in EXECUTOR_CHECKS:
        with placed("executor"):
            EXECUTOR_CHECKS[experiment.executor.name](**experiment.executor.parameters)
    federation, data_noise = federation_of(experiment, strategy or recipe(experiment), key=data_key)
    num_clients = federation.num_clients
    planned = planned_protocol(experiment, strategy, num_clients=num_clients, num_train=federation.num_train)
    experiment, protected, cohort, encryption, accountant = planned
    client, task = experiment.client, _task(experiment, federation)
    made = Setup(
        experiment,
        World(
            federation,
            cohort,
            _participation(experiment, protected),
            None if experiment.devices is None else make("devices", experiment.devices, kind=Devices),
            _adversary(experiment, federation),
            data_noise,
        ),
        Training(
            architecture_of(experiment.model.part),
            task,
            _schedule(experiment),
            _batches(client, protected.trainer),
            sends_statistics=experiment.model.non_trainable == "federated",
        ),
        Protocol(
            protected,
            accountant,
            encryption,
            experiment.privacy.reproducible_noise,
            experiment.privacy.publish == "noised-only",
        ),
        RunPlan(
            experiment.seed,
            experiment.rounds,
            EvaluationSettings(
                experiment.evaluation.every,
                experiment.evaluation.clients,
                experiment.evaluation.batch_size,
                {name: higher_is_better(name) for name in task.names},
            ),
            experiment.average.decay if experiment.average else None,
        ),
    )
    privacy.check_best(experiment, has_public_test=made.has_public_test)
    privacy.check_everybody_trains(protected, federation.num_train)
    attacks.check(made.world.adversary, protected, cohort, task.metrics, num_clients=num_clients)
    # Only its parameters are checked here: the optimizer is built again with TensorFlow.
    make("client.optimizer", client.optimizer, kind=Optimizer)
    early_stop.check(made)
    check_signers(made)
    _check_size(made)
    # Counted so that examples that the model cannot take are refused before it is built.
    if made.training.architecture.num_parameters is not None:
        with placed("model"):
            made.training.architecture.num_parameters(federation.input_shape, made.model_outputs)
    return made


def num_parameters(setup: Setup) -> int | None:
    """Number of trainable weights; None if only a built model shows it."""
    count, model = setup.training.architecture.num_parameters, setup.experiment.model
    # Which weights a pattern of names leaves to be trained, only the built model tells.
    if count is None or model.trainable is not None or model.initial_weights is not None:
        return None
    if setup.protocol.strategy.trainer.personal is not None:
        return None
    with placed("model"):
        return count(setup.world.federation.input_shape, setup.model_outputs)


def warnings_of(setup: Setup) -> list[str]:
    """Warnings to print before the run."""
    strategy, encryption = setup.protocol.strategy, setup.protocol.encryption
    found = encryption_warnings(
        encryption,
        dropout=setup.world.participation.dropout,
        cohort=setup.world.cohort.expected_size(setup.num_clients),
    )
    found += [NOT_REVIEWED] if setup.experiment.proofs else []
    unchecked = single_examples.warning(
        strategy, is_custom=isinstance(setup.world.federation, CheckedFederation)
    )
    found += [unchecked] if unchecked else []
    found += warnings_of_lists(setup)
    if (count := num_parameters(setup)) is not None:
        found += warnings_of_arrays(setup, ModelSizes(count, setup.training.architecture.num_statistics))
    promise = promise_of(private_plan_of(setup), has_public_test=setup.has_public_test)
    if promise is not None:
        found += privacy_warnings(promise, num_examples=int(np.sum(setup.world.federation.num_train)))
    return found


def _check_size(made: Setup) -> None:
    """Reject transforms and files that do not support a model of this size, if the size is known."""
    count, strategy = num_parameters(made), made.protocol.strategy
    if count is None:
        return
    for part, size in strategy.sized_transforms(count):
        # Transforms on integers have limits on the size, and their `init` allocates no array as large as the model.
        if part.takes == "integers":
            part.init(size)
    check_arrays(made, ModelSizes(count, made.training.architecture.num_statistics))


def _participation(experiment: Experiment, strategy: Strategy) -> Participation:
    settings = experiment.participation
    partial = settings.partial_work
    return Participation(
        settings.dropout,
        settings.stragglers,
        settings.deadline,
        settings.wait_for,
        keeps_partial_work=strategy.keeps_partial_work if partial is None else partial == "keep",
        rejects_failures=settings.on_client_error == "reject",
    )


def _task(experiment: Experiment, federation: Federation) -> TrainingTask:
    task = task_for(federation.task, experiment.task.loss, experiment.task.metrics)
    outputs = 2 if federation.task == "classification" else 1
    if task.is_binary and federation.num_outputs != outputs:
        raise ConfigError(
            f"{task.loss} is for two classes, predicted by one output; the data has {federation.num_outputs}.",
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


def _schedule(experiment: Experiment) -> Schedule:
    schedule: Schedule = make("client.schedule", experiment.client.schedule)
    if not callable(schedule):
        raise ConfigError(
            f"the factory returned a {type(schedule).__name__}; a function (round, rounds) -> factor is expected.",
            key="client.schedule.name",
        )
    return schedule


def _batches(client: Client, trainer: TrainerSpec) -> BatchPlan:
    if trainer.privacy is not None:
        return BatchPlan(client.batch_size, None, trainer.privacy.steps, trainer.privacy.rate)
    return BatchPlan(client.batch_size, *((1, None) if trainer.one_pass else (client.epochs, client.steps)))
