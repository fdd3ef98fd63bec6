"""How much memory and disk a run takes: copies of the model at once, and its checkpoints. From sizes alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from fedcli.components.executors import OWN_PROCESSES
from fedcli.config import Checkpoint
from fedcli.core.machine import available_cores
from fedcli.core.sums import BLOCK
from fedcli.engine.setup import Setup

_FLOAT32 = 4
# TensorFlow with Keras, before anything is built.
_TENSORFLOW = 600_000_000
# On the device: Keras's own variables, and the round's broadcast.
_ON_DEVICE = 2
# What XLA holds while a client trains a network of dense layers, measured on 73.6 million weights: 5.7 copies.
# TensorFlow keeps this memory for the next client and does not give it back to the system.
_OF_A_CLIENT = 6
# Of the server's step: the sum and the mean update in float64, and the new model.
_OF_A_STEP = 2 + 2 + 1


def memory(made: Setup, *, parameters: int, statistics: int) -> dict[str, Any]:
    """Copies of the model in float32 that a run holds at its peak, and bytes of memory and disk.

    An estimate from above for the mean and rules that collect updates. The clients' data are not in it, nor what
    transforms such as encryption take.

    Args:
        made: the experiment.
        parameters: trainable weights of the model.
        statistics: non-trainable weights that training moves.
    """
    strategy, experiment = made.protocol.strategy, made.experiment
    cohort = max(int(made.world.cohort.expected_size(made.num_clients)), 1)
    given = experiment.executor.parameters.get("workers")
    workers = min(given if isinstance(given, int) else available_cores(), cohort)
    of_a_client = _OF_A_CLIENT + len(strategy.trainer.keeps) + len(strategy.trainer.receives)
    # The states of the server are as many vectors as for a model of one weight. An average is kept in float64.
    server = _numbers(strategy.server.init(np.zeros(1, np.float32))) + (2 if experiment.average else 0)
    sums = 2 if cohort <= BLOCK else 4
    collected = 0 if strategy.aggregator.is_sum else cohort
    # Of a large model each worker has one result, and the server adds another.
    on_server = 1 + server + collected + max(sums + workers + 1, _OF_A_STEP + server)
    on_device = _ON_DEVICE + workers * of_a_client
    one = _FLOAT32 * (parameters + statistics)
    checkpoint = one * (1 + server + bool(experiment.average))
    facts = {
        "copies_of_the_model": on_server + on_device,
        "memory_bytes": _TENSORFLOW + one * (on_server + on_device),
        "device_memory_bytes": one * on_device,
        "checkpoint_bytes": checkpoint,
        "kept_checkpoints_bytes": checkpoint * _kept(experiment.checkpoint, experiment.rounds),
    }
    if experiment.executor.name in OWN_PROCESSES:
        # Each has a model, a broadcast and a result of its own, and the driver has the model that it began with.
        facts["memory_bytes"] = _TENSORFLOW + one * (on_server + 1)
        facts["worker_memory_bytes"] = _TENSORFLOW + one * (_ON_DEVICE + of_a_client + 2)
    return facts


def _kept(policy: Checkpoint, rounds: int) -> int:
    """How many checkpoints have arrays at the end, that of the first state included."""
    written = 1 + -(-rounds // policy.every)
    if policy.keep_last is None and policy.keep_best is None:
        return written
    # The last one always has them.
    return min(written, max(policy.keep_last or 1, 1) + (policy.keep_best or 0))


def _numbers(tree: Any) -> int:
    if hasattr(tree, "values"):
        return sum(_numbers(value) for value in tree.values())
    return int(np.size(tree))
