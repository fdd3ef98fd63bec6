"""The assembly stage: loads TensorFlow, builds the model and compiles the client program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from fedcli.components.callbacks.callback import Callback
from fedcli.components.callbacks.early_stop import early_stop
from fedcli.components.clients.optimizers import Optimizer, clipped
from fedcli.components.clients.runtime.data_cache import cache_bytes
from fedcli.components.models.network import Network, Vectors, load_weights, personal_weights, split
from fedcli.config import Experiment, Part, is_reference, objects_of
from fedcli.core.concealment import forbid_core_dumps
from fedcli.core.contracts import Strategy
from fedcli.core.roles import Choosing, Executor, InProcesses
from fedcli.core.rounds import ModelLayout, RoundState
from fedcli.core.transform import Transform
from fedcli.core.trees import to_table
from fedcli.core.types import FIXED, KerasModel, Tree
from fedcli.core.user_code import blamed
from fedcli.core.vectors import unflatten
from fedcli.engine.adversary import trained_on
from fedcli.engine.client_side import Clients, ClientSide
from fedcli.engine.no_turns import NoTurns
from fedcli.engine.run_columns import best_is
from fedcli.engine.setup import Assembly, Setup
from fedcli.experiment.built_model import built_model
from fedcli.experiment.compatibility import model_statistics
from fedcli.experiment.initial_weights import initial_weights
from fedcli.experiment.make import make, placed
from fedcli.experiment.plan import plan
from fedcli.experiment.planned_files import ModelSizes, check_arrays
from fedcli.experiment.protection.fixed_point import check_size


def assemble(
    setup: Setup, strategy: Strategy | None = None, *, config_digest: bytes = b""
) -> tuple[Assembly, RoundState]:
    """Build the model and compile the client program.

    Args:
        setup: the planned experiment.
        strategy: the strategy with which it was planned instead of that of the config.
        config_digest: SHA-256 of the run's config.yaml, to which the clients agree by being set up with it.

    Returns:
        The assembly, and the state before the first round.

    Raises:
        ConfigError: if the model does not fit the task, or cannot be trained as configured.
    """
    experiment = setup.experiment
    # The executor comes first: it sets TensorFlow's threads, which is possible only before its first operation.
    executor: Executor = make("executor", experiment.executor, kind=Executor)
    try:
        side, layout, vectors, gives_probabilities = _client_side(setup, config_digest)
        data_noise = setup.world.data_noise
        # Callbacks stay with the server, so that they may be objects of this process.
        processes = executor.processes_per_machine if isinstance(executor, InProcesses) else 1
        travels = experiment.model_copy(update={"callbacks": ()})
        elsewhere = partial(
            side_in_this_process, travels, strategy, data_noise and data_noise.key, config_digest, processes
        )
        # What was given as a Python object cannot be made from a config in another process.
        clients = Clients(side, None if objects_of(experiment) else elsewhere)
        trial = NoTurns(clients)
        if isinstance(executor, Choosing):
            executor.choose(trial, setup.updates_per_round)
        # An executor that cannot run these clients says so now, before a run directory is created.
        list(executor.run(trial, ()))
        assembly = Assembly(
            setup,
            layout,
            clients,
            executor,
            _callbacks(setup),
            config_digest=config_digest,
            gives_probabilities=gives_probabilities,
        )
        with blamed(f"init of the cohort {setup.world.cohort.name}"):
            cohort = setup.world.cohort.init(setup.world.federation.num_train)
        return assembly, initial_state(setup.protocol.strategy, vectors, cohort)
    # Also at Ctrl-C: worker processes would go on without this one.
    except BaseException:
        executor.close()
        raise


def with_keys(assembly: Assembly, kept: Tree | None = None) -> tuple[Assembly, Tree]:
    """Start the transforms that have key material.

    Args:
        assembly: the assembly.
        kept: the keys that a run stored; None makes new ones.

    Returns:
        The assembly with keys, and the keys that the run stores, by transform.
    """
    # Keys and openings are in the memory of this process as well as in that of its workers.
    if any(transform.start is not None or transform.proves for transform in assembly.strategy.transforms):
        forbid_core_dumps()
    started: list[Transform] = []
    keys: dict[str, Tree] = {}
    for transform in assembly.strategy.transforms:
        if transform.start is not None:
            # Older run directories store the keys of their only transform without its name.
            own = None if kept is None else kept.get(transform.name, kept)
            transform, made = transform.start(own)
            keys |= {transform.name: made} if made else {}
        started.append(transform)
    return with_strategy(assembly, assembly.strategy._replace(transforms=tuple(started))), keys


def with_strategy(assembly: Assembly, strategy: Strategy) -> Assembly:
    """The assembly with another strategy on the server's side; the clients' side keeps its own."""
    protocol = assembly.protocol._replace(strategy=strategy)
    return replace(assembly, setup=replace(assembly.setup, protocol=protocol))


def side_in_this_process(
    experiment: Experiment,
    strategy: Strategy | None,
    data_key: bytes | None,
    config_digest: bytes,
    processes: int,
) -> ClientSide:
    """The clients' side, built from the config in one of so many worker processes of a machine."""
    side, *_ = _client_side(plan(experiment, strategy, data_key=data_key), config_digest, processes)
    return side


def _client_side(
    setup: Setup, config_digest: bytes, processes: int = 1
) -> tuple[ClientSide, ModelLayout, Vectors, bool]:
    from fedcli.components.clients.runtime.block_program import compile_block
    from fedcli.components.clients.runtime.client_blocks import ClientBlocks
    from fedcli.components.clients.runtime.joined_examples import JoinedExamples
    from fedcli.components.clients.runtime.keras_learner import (
        check_output,
        ends_in_probabilities,
        keras_functions,
    )
    from fedcli.components.clients.runtime.keras_runtime import KerasRuntime, LocalSettings
    from fedcli.components.clients.runtime.program import Example, compile_programs

    experiment, federation, training = setup.experiment, setup.world.federation, setup.training
    strategy, adversary = setup.protocol.strategy, setup.world.adversary
    spec = strategy.trainer
    network = _network(setup)
    with placed("model"):
        check_output(network.model, training.task, num_outputs=federation.num_outputs)
    layout = ModelLayout(network.trainable, network.statistics, network.frozen, network.personal)
    # The size of a custom model is known only now.
    check_size(experiment.fixed_point, num_parameters=layout.trainable.size)
    check_arrays(setup, ModelSizes(*(group.size for group in layout)))
    model_statistics.check(strategy, experiment, num_statistics=layout.statistics.size)
    vectors = initial_weights(experiment, layout) or network.vectors()
    # Frozen weights may come from model.initial_weights too.
    network.load_frozen(vectors.frozen)
    # The code of a custom model may read its variables at any time.
    if not _is_custom(experiment.model.part):
        network.release()
    parts = f"{spec.name} with the model {experiment.model.part.name} and the optimizer"
    with placed("task"):
        functions = keras_functions(network, training.task, _optimizer(experiment))
    # All examples have these shapes and types, and no client has to be made to see them.
    x, y = federation.test
    example, bytes_each = Example(x.shape[1:], y.shape[1:], str(y.dtype)), x[:1].nbytes + y[:1].nbytes
    # Tracing runs the code of the model, of the local algorithm and of the optimizer once.
    with placed("task"), blamed(f"tracing {parts} {experiment.client.optimizer.name}"):
        programs = compile_programs(
            network,
            functions,
            spec,
            example=example,
            batch_size=training.batches.width,
            has_custom_optimizer=_is_custom(experiment.client.optimizer),
        )
    settings = LocalSettings(
        root=experiment.seed,
        plan=training.batches,
        weighting=strategy.weighting,
        non_trainable=experiment.model.non_trainable,
        metric_names=training.task.names,
        num_seeds=len(network.seed_slots),
        fixed_shapes=network.is_dense,
        keeps=spec.keeps,
        personal=vectors.personal,
        personalise=spec.personalise,
        draws_batches=spec.privacy is not None,
        noise=spec.noise,
        reproducible_noise=experiment.privacy.reproducible_noise,
        largest=int(np.max(federation.num_train, initial=0)),
        cache_bytes=cache_bytes(
            np.asarray(federation.num_train),
            bytes_each,
            setup.world.cohort.expected_size(federation.num_clients),
            processes,
        ),
    )
    data = trained_on(federation, adversary, experiment.seed)
    runtime = KerasRuntime(programs, data, settings)
    block = partial(
        compile_block, network, functions, spec, example=example, batch_size=training.batches.width
    )
    num_bytes = int(np.sum(federation.num_train)) * bytes_each
    examples = JoinedExamples(data, num_clients=federation.num_clients, num_bytes=num_bytes)
    blocks = ClientBlocks(block, examples, settings)
    side = ClientSide(runtime, federation, strategy, adversary, config_digest, blocks)
    return side, layout, vectors, ends_in_probabilities(network.model)


def _is_custom(part: Part) -> bool:
    return part.value is not None or is_reference(part.name)


def _network(setup: Setup) -> Network:
    experiment, federation = setup.experiment, setup.world.federation
    model = built_model(experiment, federation.input_shape, setup.model_outputs, setup.training.architecture)
    # The pattern is the strategy's, so that what is wrong with it is not the model's fault.
    with placed("strategy"):
        is_personal = personal_weights(model, setup.protocol.strategy.trainer.personal)
    with placed("model"):
        return split(model, is_personal)


def model_at(assembly: Assembly, state: RoundState) -> KerasModel:
    """A new Keras model with the global weights of a state; personal weights are those that every client began with."""
    setup, layout = assembly.setup, assembly.layout
    shape, architecture = setup.world.federation.input_shape, setup.training.architecture
    model = built_model(setup.experiment, shape, setup.model_outputs, architecture)
    vectors = Vectors(state.weights, state.statistics, state.frozen, state.personal)
    parts = [unflatten(vector, group) for vector, group in zip(vectors, layout, strict=True)]
    load_weights(model, {name: value for part in parts for name, value in part.items()})
    return model


def initial_state(strategy: Strategy, vectors: Vectors, cohort: Tree | None = None) -> RoundState:
    """The state before the first round: the model's vectors, and the first state of every component."""
    weights = vectors.trainable
    # A transform's state has the size of what it takes; the aggregator takes what the last one gives.
    *sizes, size = strategy.payload_sizes(weights.size)
    return RoundState(
        0,
        *vectors,
        server=_begun(f"the server optimizer {strategy.server.name}", strategy.server.init, weights),
        aggregator=_begun(f"the aggregator {strategy.aggregator.name}", strategy.aggregator.init, size),
        transforms={
            transform.name: _begun(f"the transform {transform.name}", transform.init, taken)
            for transform, taken in zip(strategy.transforms, sizes, strict=True)
        },
        cohort=cohort or {},
    )


def resumed_cohort(kept: Tree, first: Tree) -> Tree:
    """The state of a cohort that a checkpoint kept, with what no checkpoint has; an older one may lack all of it."""
    return {**{name: value for name, value in first.items() if name == FIXED}, **kept} if kept else first


def _begun(what: str, init: Callable[[Any], Tree], about: Any) -> Tree:
    """The first state of a component, which a checkpoint can hold."""
    with blamed(f"init of {what}", of=init):
        state = init(about)
        if not isinstance(state, Mapping):
            raise TypeError(f"it returned a {type(state).__name__}; a dict of arrays is expected")
        wrong = [name for name, value in to_table(state).items() if value.dtype.kind == "O"]
        if wrong:
            raise TypeError(f"its state {wrong[0]} is no array of numbers, which a checkpoint could hold")
        return state


def _optimizer(experiment: Experiment) -> Any:
    optimizer = make("client.optimizer", experiment.client.optimizer, kind=Optimizer)
    norm = experiment.client.clip_gradient_norm
    return optimizer if norm is None else clipped(optimizer, norm)


def _callbacks(setup: Setup) -> list[Callback]:
    experiment = setup.experiment
    own = [
        make("callbacks", part, key=f"callbacks.{i}", kind=Callback)
        for i, part in enumerate(experiment.callbacks)
    ]
    stop = experiment.early_stop
    if stop is None:
        return own
    mode = stop.mode or best_is(stop.metric, setup.protocol.strategy.columns)
    rules = stop.model_dump(exclude={"mode"})
    return [*own, early_stop(mode=mode, **rules)]
