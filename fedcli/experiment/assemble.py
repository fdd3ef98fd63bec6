"""The second stage of building: TensorFlow is loaded, the model built and the client program compiled."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np

from fedcli.components.callbacks.callback import Callback, early_stop
from fedcli.components.clients.optimizers import clipped
from fedcli.components.clients.runtime.task import higher_is_better
from fedcli.components.models.network import Vectors, build_model, personal_weights, split
from fedcli.config import Experiment
from fedcli.core.contracts import Strategy
from fedcli.core.errors import ConfigError
from fedcli.core.roles import Executor
from fedcli.core.rounds import ModelLayout, RoundState
from fedcli.core.types import Tree
from fedcli.core.vectors import gather
from fedcli.engine.adversary import trained_on
from fedcli.engine.setup import EvaluationSettings, Participation, Parts
from fedcli.experiment.compatibility import model_statistics
from fedcli.experiment.make import make, placed
from fedcli.experiment.plan import Plan
from fedcli.experiment.protection.fixed_point import check_size


def assemble(plan: Plan) -> tuple[Parts, RoundState]:
    """Build the model, compile the client program, and return the parts with the state before the first round.

    Raises:
        ConfigError: if the model does not fit the task, or cannot be trained as configured.
    """
    experiment = plan.experiment
    # The executor comes first: it sets TensorFlow's threads, which is possible only before its first operation.
    executor: Executor = make("executor", experiment.executor)
    try:
        return _assemble_on(executor, plan)
    except BaseException:
        executor.close()
        raise


def with_keys(parts: Parts, plan: Plan, kept: Tree | None = None) -> Parts:
    """The parts with the keys of their encryption, where they have one: what a run of theirs needs.

    Args:
        parts: as they were assembled.
        plan: of which.
        kept: the keys of a run that kept them; None makes new ones.
    """
    return parts if plan.encryption is None else replace(parts, keys=plan.encryption.start(kept))


def _assemble_on(executor: Executor, plan: Plan) -> tuple[Parts, RoundState]:
    from fedcli.components.clients.runtime.keras_learner import check_output, keras_functions
    from fedcli.components.clients.runtime.keras_runtime import KerasRuntime, LocalSettings
    from fedcli.components.clients.runtime.program import Example, compile_programs

    experiment, federation, spec = plan.experiment, plan.federation, plan.strategy.trainer
    build = partial(plan.architecture.build, federation.input_shape, plan.model_outputs)
    with placed("model"):
        model = build_model(build, root=experiment.seed, trainable=experiment.model.trainable)
    with placed("strategy"):
        is_personal = personal_weights(model, spec.personal)
    with placed("model"):
        network = split(model, is_personal)
        check_output(network.model, plan.task, num_outputs=federation.num_outputs)
    layout = ModelLayout(network.trainable, network.statistics, network.frozen, network.personal)
    check_size(experiment.fixed_point, num_parameters=layout.trainable.size)
    model_statistics.check(plan.strategy, experiment, num_statistics=layout.statistics.size)
    vectors = _warm_start(experiment, layout) or network.vectors()
    network.load_frozen(vectors.frozen)
    with placed("task"):
        functions = keras_functions(network, plan.task, _optimizer(experiment))
    x, y = federation.test
    example = Example(x.shape[1:], y.shape[1:], str(y.dtype))
    with placed("task"):
        programs = compile_programs(network, functions, spec, example=example, batch_size=plan.batches.width)
    settings = LocalSettings(
        root=experiment.seed,
        plan=plan.batches,
        weighting=plan.strategy.weighting,
        non_trainable=experiment.model.non_trainable,
        metric_names=plan.task.names,
        num_seeds=len(network.seed_slots),
        fixed_shapes=network.is_dense,
        keeps=spec.keeps,
        personal=vectors.personal,
        personalise=spec.personalise,
        draws_noise=spec.privacy is not None,
        reproducible_noise=experiment.privacy.reproducible_noise,
    )
    parts = Parts(
        seed=experiment.seed,
        rounds=experiment.rounds,
        federation=federation,
        runtime=KerasRuntime(programs, trained_on(federation, plan.adversary, experiment.seed), settings),
        executor=executor,
        strategy=plan.strategy,
        cohort=plan.cohort,
        schedule=plan.schedule,
        evaluation=EvaluationSettings(
            experiment.evaluation.every,
            experiment.evaluation.clients,
            experiment.evaluation.batch_size,
            {name: higher_is_better(name) for name in plan.task.names},
        ),
        layout=layout,
        batches=plan.batches,
        sends_statistics=experiment.model.non_trainable == "federated",
        reproducible_noise=experiment.privacy.reproducible_noise,
        accountant=plan.accountant,
        callbacks=_callbacks(experiment),
        devices=plan.devices,
        participation=_participation(plan),
        adversary=plan.adversary,
        publishes_noised_only=experiment.privacy.publish == "noised-only",
        average_decay=experiment.average.decay if experiment.average else None,
    )
    return parts, initial_state(plan.strategy, vectors)


def initial_state(strategy: Strategy, vectors: Vectors) -> RoundState:
    """The state before the first round: the model's vectors, and every part's first state."""
    weights = vectors.trainable
    *sizes, size = strategy.payload_sizes(weights.size)
    return RoundState(
        0,
        *vectors,
        server=strategy.server.init(weights),
        aggregator=strategy.aggregator.init(size),
        transforms={
            transform.name: transform.init(taken)
            for transform, taken in zip(strategy.transforms, sizes, strict=True)
        },
    )


def _participation(plan: Plan) -> Participation:
    settings = plan.experiment.participation
    keeps = (
        plan.strategy.keeps_partial_work if settings.partial_work is None else settings.partial_work == "keep"
    )
    return Participation(
        settings.dropout, settings.stragglers, settings.deadline, settings.wait_for, keeps_partial_work=keeps
    )


def _optimizer(experiment: Experiment) -> Any:
    optimizer = make("client.optimizer", experiment.client.optimizer)
    norm = experiment.client.clip_gradient_norm
    return optimizer if norm is None else clipped(optimizer, norm)


def _callbacks(experiment: Experiment) -> list[Callback]:
    own = [
        make("callbacks", part, key=f"callbacks.{i}", kind=Callback)
        for i, part in enumerate(experiment.callbacks)
    ]
    stop = experiment.early_stop
    if stop is None:
        return own
    mode: Literal["min", "max"] = stop.mode or ("max" if higher_is_better(stop.metric) else "min")
    return [*own, early_stop(metric=stop.metric, patience=stop.patience, mode=mode)]


def _warm_start(experiment: Experiment, layout: ModelLayout) -> Vectors | None:
    """The vectors of `model.initial_weights`, or None where the model starts from its seed."""
    if experiment.model.initial_weights is None:
        return None
    from fedcli.store.directory import read_weights

    with placed("model.initial_weights"):
        arrays = read_weights(experiment.model.initial_weights)
        for name, shape in (pair for group in layout for pair in zip(group.names, group.shapes, strict=True)):
            if name not in arrays or np.shape(arrays[name]) != shape:
                found = f"has shape {list(np.shape(arrays[name]))}" if name in arrays else "is missing"
                raise ConfigError(
                    f"the weight {name} {found}; the model needs shape {list(shape)}.",
                    hint="Use weights of the same architecture.",
                )
    return Vectors(*(gather(arrays, group) for group in layout))
