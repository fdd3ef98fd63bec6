"""How much memory and disk a run takes: copies of the model at once, and its checkpoints. From sizes alone."""

from __future__ import annotations

import math
from typing import Any

from fedcli.components.executors import FOLDING, OWN_PROCESSES
from fedcli.config import Checkpoint
from fedcli.core.machine import available_cores
from fedcli.core.sums import BLOCK
from fedcli.engine.setup import Setup
from fedcli.experiment.planned_files import (
    ModelSizes,
    checkpoint_files,
    client_state_bytes,
    server_state_bytes,
)

_FLOAT32 = 4
# TensorFlow with Keras and a compiled program, without a model's weights: measured, 0.9 GB.
_TENSORFLOW = 900_000_000
# On the device: the round's broadcast. Of the plain step of the server, it is the model's own memory.
_ON_DEVICE = 1
# What XLA holds while a client trains a network of dense layers: its report says 1.8 copies for layers of 2,048 units.
_OF_A_CLIENT = 2


def memory(made: Setup, sizes: ModelSizes) -> dict[str, Any]:
    """Copies of the model in float32 that a run holds at its peak, and bytes of memory and disk.

    An estimate from above for the mean and rules that collect updates. The clients' data are not in it, nor the
    moments of their optimizer, nor what transforms such as encryption take.

    Args:
        made: the experiment.
        sizes: numbers of weights of the model.
    """
    strategy, experiment = made.protocol.strategy, made.experiment
    cohort = max(int(made.world.cohort.expected_size(made.num_clients)), 1)
    given = experiment.executor.parameters.get("workers")
    workers = min(given if isinstance(given, int) else available_cores(), cohort)
    # An update may be several vectors, such as a delta and a control variate.
    update = 1 + sum(extra.size == "model" for extra in strategy.trainer.sends)
    of_a_client = _OF_A_CLIENT + update - 1 + len(strategy.trainer.keeps) + len(strategy.trainer.receives)
    # An average is kept in float64.
    server = round(server_state_bytes(made) / _FLOAT32) + (2 if experiment.average else 0)
    sums = 2 if cohort <= BLOCK else 4
    collected = 0 if strategy.aggregator.is_sum else cohort * update
    # Of a large model each worker has one result, and the server adds another.
    # A rule that is no sum may keep what it returns, so that its mean is another vector. An average decays in another.
    means = 2 * update * (1 if strategy.aggregator.takes_sums else 2)
    step = means + 1 + server + (2 if experiment.average else 0)
    on_server = 1 + server + collected + max((sums + workers + 1) * update, step)
    on_device = _ON_DEVICE + workers * of_a_client
    one = _FLOAT32 * (sizes.trainable + sizes.statistics)
    checkpoint, kept = (
        sum(checkpoint_files(made, sizes).values()),
        _kept(experiment.checkpoint, experiment.rounds),
    )
    facts = {
        "copies_of_the_model": on_server + on_device,
        "memory_bytes": _TENSORFLOW + one * (on_server + on_device),
        "device_memory_bytes": one * on_device,
        "checkpoint_bytes": checkpoint,
        "kept_checkpoints_bytes": checkpoint * kept,
    }
    if each := client_state_bytes(made, sizes):
        facts |= {
            "client_state_bytes": each,
            "kept_client_states_bytes": each * _most_states(made, kept),
        }
    if experiment.executor.name in OWN_PROCESSES:
        # Each has a model, a broadcast and a result of its own, and the driver has the model that it began with.
        facts["memory_bytes"] = _TENSORFLOW + one * (on_server + 1)
        held = update * (min(BLOCK, cohort) + 2 if _folds(made) else 1)
        facts["worker_memory_bytes"] = _TENSORFLOW + one * (1 + _ON_DEVICE + of_a_client + held)
    return facts


def _folds(made: Setup) -> bool:
    """Whether a worker holds the updates of a block until it has trained all of it, and then their sum in float64."""
    executor, strategy = made.experiment.executor, made.protocol.strategy
    return (
        executor.name in FOLDING
        and executor.parameters.get("client_timeout_seconds") is None
        and strategy.aggregator.takes_sums
        and not any(part.needs_single_updates for part in strategy.transforms)
    )


def _kept(policy: Checkpoint, rounds: int) -> int:
    """How many checkpoints have arrays at the end, that of the first state included."""
    written = 1 + -(-rounds // policy.every)
    if policy.keep_last is None and policy.keep_best is None:
        return written
    # The last one always has them.
    return min(written, max(policy.keep_last or 1, 1) + (policy.keep_best or 0))


def _most_states(made: Setup, kept: int) -> int:
    """States of clients that checkpoints with arrays refer to at most, each of which is a file."""
    every, rounds, clients = made.experiment.checkpoint.every, made.run.rounds, made.num_clients
    # Of the turns between two checkpoints, the last one of each client; and each checkpoint has one of each client.
    new = min(clients, math.ceil(made.updates_per_round * min(every, rounds)))
    return min(kept * clients, -(-rounds // every) * new)
