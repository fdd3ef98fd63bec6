"""Costs of an experiment before any training: clients, steps and bytes of a round, and epsilon."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from fedcli.components.clients.runtime.block_program import refused_for_size
from fedcli.components.data import PartitionedFederation
from fedcli.components.executors import CHOOSING, PARTICULAR
from fedcli.components.executors.auto import threads_since, too_few
from fedcli.components.models.architecture import LayerWork
from fedcli.components.models.keras_layers import layer_work
from fedcli.config import Config
from fedcli.core.errors import ConfigError
from fedcli.core.roles import Choosing
from fedcli.engine.setup import Setup
from fedcli.experiment.assemble import assemble, model_at
from fedcli.experiment.compose import noise_multiplier_of
from fedcli.experiment.make import located
from fedcli.experiment.memory import memory
from fedcli.experiment.plan import num_parameters, plan, warnings_of
from fedcli.experiment.planned_files import ModelSizes, models_kept
from fedcli.experiment.protection.encryption import described
from fedcli.experiment.protection.privacy_document import private_plan_of, promise_of
from fedcli.experiment.protection.proofs import facts as facts_of_proofs
from fedcli.privacy import account


def checked_cost(
    source: Config, *, before_tensorflow: Callable[[], AbstractContextManager[None]]
) -> dict[str, Any]:
    """Build every part of an experiment, and return `cost` of it.

    A built-in model states its own size. A custom model must be built to be measured, which loads TensorFlow; so must
    every model with a loss or metrics of which only Keras knows whether it has them and takes the targets, and every
    model by which an executor makes a choice.

    Args:
        source: the experiment.
        before_tensorflow: entered before TensorFlow is loaded, if it is.

    Raises:
        ConfigErrors: if a part cannot be built.
    """
    with located(source):
        made = plan(source.experiment)
        facts = cost(made)
        chosen = _surely_chosen(made, facts["parameters"])
        if facts["parameters"] is not None and _surely_fits(made) and chosen is not None:
            return facts | chosen
        with before_tensorflow():
            assembly, state = assemble(made)
        # Nothing is trained here, and an open executor keeps worker processes alive.
        assembly.executor.close()
        facts = cost(
            made,
            parameters=state.weights.size,
            statistics=state.statistics.size,
            others=(state.frozen.size, state.personal.size),
            work=layer_work(model_at(assembly, state)),
        )
        executor = assembly.executor
        return facts | ({"executor": executor.choice} if isinstance(executor, Choosing) else {})


def _surely_chosen(made: Setup, parameters: int | None) -> dict[str, str] | None:
    """What the executor chooses, as far as can be said without the model; None if it must be built."""
    executor = made.experiment.executor.name
    if executor not in CHOOSING:
        return None if executor in PARTICULAR else {}
    if few := too_few(made.updates_per_round):
        return {"executor": threads_since(few)}
    large = refused_for_size(parameters or 0)
    return {"executor": threads_since(large.message)} if large else None


def _surely_fits(made: Setup) -> bool:
    """Whether loss and metrics fit targets and model, as far as can be said without Keras."""
    federation = made.world.federation
    targets = (
        federation.example_target if isinstance(federation, PartitionedFederation) else federation.test[1]
    )
    has_labels = targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer)
    return made.training.task.is_common and (has_labels or federation.task == "regression")


def planned_privacy(source: Config, *, course: bool = False) -> dict[str, Any]:
    """Epsilon of the planned rounds of a private experiment, as `privacy.account` returns it.

    Raises:
        ConfigErrors: if a part cannot be built, or the experiment has no privacy event.
    """
    with located(source):
        made = plan(source.experiment)
        promise = promise_of(private_plan_of(made), has_public_test=made.has_public_test)
        if promise is None:
            raise ConfigError(
                f"the strategy {made.protocol.strategy.name} adds no noise; there is no privacy loss to account for.",
                key="strategy",
                hint="Use for example strategy: {name: dp-clipped, ...}.",
            )
        return account(promise, course=course)


def cost(
    made: Setup,
    *,
    parameters: int | None = None,
    statistics: int = 0,
    others: tuple[int, int] = (0, 0),
    work: LayerWork | None = None,
) -> dict[str, Any]:
    """Parameters, clients, steps, bytes and memory of an average round, and the planned epsilon of a private run.

    Figures that only a built model shows are None. Bytes are those of a round without dropout. Proofs are counted
    for clients of weight 1; others prove smaller bounds, in slightly fewer bytes.

    Args:
        made: the experiment.
        parameters: trainable weights of its built model; None for a model that is not built.
        statistics: non-trainable weights of its built model that training moves.
        others: its frozen weights, and those that stay with each client.
        work: what its layers need.
    """
    federation, experiment = made.world.federation, made.experiment
    at_work = made.world.cohort.expected_size(federation.num_clients)
    buffer = made.protocol.strategy.buffer
    cohort = made.updates_per_round
    if parameters is None:
        parameters, statistics = num_parameters(made), made.training.architecture.num_statistics
    if parameters is None:
        up = down = None
    else:
        up = round(cohort * made.bytes_up(parameters, statistics))
        down = round(cohort * made.bytes_down(parameters, statistics))
    # Of a million clients most have the same few sizes.
    sizes, counts = np.unique(np.asarray(federation.num_train), return_counts=True)
    steps = np.array([made.training.batches.num_steps(int(size)) for size in sizes])
    facts: dict[str, Any] = {
        "name": experiment.name,
        "rounds": experiment.rounds,
        "parameters": parameters,
        "clients": federation.num_clients,
        **(
            {"cohort": cohort}
            if buffer is None
            else {
                "clients_at_work": at_work,
                "updates_per_round": cohort,
                **_models_kept(made, parameters, statistics),
            }
        ),
        "examples": int(np.sum(federation.num_train)),
        "examples_per_client": {"min": int(sizes[0]), "max": int(sizes[-1])},
        "client_steps_per_round": round(cohort * float(np.average(steps, weights=counts))),
        "bytes_up_per_round": up,
        "bytes_down_per_round": down,
    }
    settings = experiment.participation
    facts |= {name: value for name, value in settings if name != "partial_work" and value}
    if made.world.devices is not None:
        facts["devices"] = made.world.devices.name
    if made.world.adversary is not None:
        facts |= {
            "attack": made.world.adversary.attack.name,
            "malicious_clients": len(made.world.adversary.clients),
        }
    target = made.protocol.strategy.privacy
    if made.protocol.accountant is not None and target is not None:
        epsilon = made.protocol.accountant.epsilon(experiment.rounds, target.delta)
        # JSON has no infinity.
        facts |= {"epsilon": epsilon if np.isfinite(epsilon) else None, "delta": target.delta}
        facts |= {"accountant": made.protocol.accountant.name, "relation": made.protocol.accountant.relation}
        facts["noise_multiplier"] = noise_multiplier_of(experiment.strategy)
    if made.protocol.encryption is not None:
        facts["encryption"] = described(made.protocol.encryption, made.protocol.strategy)
    facts |= facts_of_proofs(made.protocol.strategy, parameters)
    if parameters is not None:
        facts |= memory(made, ModelSizes(parameters, statistics, *others), work or _stated_work(made))
    if found := warnings_of(made):
        facts["warnings"] = found
    return facts


def _stated_work(made: Setup) -> LayerWork:
    """What the layers of a model that is not built need; nothing of a custom one, which does not state it."""
    stated = made.training.architecture.work
    shape = made.world.federation.input_shape
    return LayerWork(0, is_dense=True) if stated is None else stated(shape, made.model_outputs)


def _models_kept(made: Setup, parameters: int | None, statistics: int) -> dict[str, int | None]:
    """The older models that an asynchronous run keeps at worst, and their bytes in memory and in a checkpoint."""
    most = models_kept(made)
    size = None if parameters is None else 4 * most * (parameters + statistics)
    return {"most_models_kept": most, "most_bytes_of_models_kept": size}
