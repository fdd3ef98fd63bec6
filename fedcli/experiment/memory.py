"""How much memory and disk a run takes: copies of the model at once, and its checkpoints. From sizes alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from fedcli.core.machine import available_cores
from fedcli.core.sums import BLOCK
from fedcli.engine.setup import Setup

_FLOAT32 = 4
# Keras's own variables, the state, and the round's broadcast on the device.
_ALWAYS = 3
# Of a client that trains: its weights, a gradient, and the update.
_OF_A_CLIENT = 3
# Of the server's step after the clients: the sum, the mean update and the step in float64, and the new model.
_OF_A_STEP = 2 + 2 + 2 + 1
# TensorFlow with Keras, before anything is built.
_TENSORFLOW = 600_000_000


def memory(made: Setup, *, parameters: int, statistics: int) -> dict[str, Any]:
    """Copies of the model that a round holds at its peak, and bytes of memory and disk.

    An estimate for the mean. Robust rules collect the updates of a round, which are added. The clients' data and what
    transforms such as encryption take are not in it.

    Args:
        made: the experiment.
        parameters: trainable weights of the model.
        statistics: non-trainable weights that training moves.
    """
    strategy, experiment = made.protocol.strategy, made.experiment
    cohort = max(int(made.world.cohort.expected_size(made.num_clients)), 1)
    given = experiment.executor.parameters.get("workers")
    workers = min(given if isinstance(given, int) else available_cores(), cohort)
    # The states of the server are as many vectors as for a model of one weight.
    server = _numbers(strategy.server.init(np.zeros(1, np.float32)))
    extras = len(strategy.trainer.keeps) + len(strategy.trainer.receives)
    sums = 2 if cohort <= BLOCK else 4
    collected = 0 if strategy.aggregator.is_sum else cohort
    average = 2 if experiment.average else 0
    shared = _ALWAYS + server + average
    training = shared + sums + collected + 1 + workers * (_OF_A_CLIENT + extras)
    copies = max(training, shared + collected + _OF_A_STEP + server)
    one = _FLOAT32 * (parameters + statistics)
    in_processes = experiment.executor.name == "processes"
    kept = -(-experiment.rounds // experiment.checkpoint.every) + 1
    if experiment.checkpoint.keep_last or experiment.checkpoint.keep_best:
        policy = (experiment.checkpoint.keep_last or 0) + (experiment.checkpoint.keep_best or 0)
        kept = min(kept, max(policy, 1))
    of_one_client = _ALWAYS - 1 + _OF_A_CLIENT + extras
    return {
        "copies_of_the_model": copies,
        "bytes_of_a_copy": one,
        "driver_memory_bytes": _TENSORFLOW + one * (copies - in_processes * workers * (_OF_A_CLIENT + extras)),
        # With threads, workers share the memory of the driver.
        **({"worker_memory_bytes": _TENSORFLOW + one * of_one_client} if in_processes else {}),
        "device_memory_bytes": one * (_ALWAYS - 1 + workers * (_OF_A_CLIENT + extras)),
        "checkpoint_bytes": one * (1 + server + 3 * bool(average)),
        "checkpoints_bytes_kept": kept * one * (1 + server + 3 * bool(average)),
    }


def _numbers(tree: Any) -> int:
    if hasattr(tree, "values"):
        return sum(_numbers(value) for value in tree.values())
    return int(np.size(tree))
