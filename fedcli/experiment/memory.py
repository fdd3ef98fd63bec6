"""How much memory and disk a run takes: copies of the model at once, and its checkpoints. From sizes alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fedcli.components.clients.optimizers import Optimizer
from fedcli.components.executors import FOLDING, OWN_PROCESSES
from fedcli.components.models.architecture import LayerWork
from fedcli.config import Checkpoint
from fedcli.core.contracts import Extra
from fedcli.core.machine import available_cores
from fedcli.core.sums import BLOCK
from fedcli.engine.setup import Setup
from fedcli.experiment.make import make
from fedcli.experiment.planned_files import (
    ModelSizes,
    checkpoint_files,
    client_state_bytes,
    noise_bytes,
    server_state_bytes,
)

_FLOAT32 = 4
# TensorFlow with Keras and a traced program, without a model's weights: measured; and XLA's compiler.
_TENSORFLOW, _XLA = 790_000_000, 150_000_000
# On the device: the round's broadcast. Of the plain step of the server, it is the model's own memory.
_ON_DEVICE = 1
# What a client's program holds, and for each moment of its optimizer. XLA reuses memory: its report says 1.8 copies for
# layers of 2,048 units. TensorFlow keeps old and new vectors and what is between them: measured with 0 to 2 moments.
_COMPILED, _COMPILED_MOMENT = 2, 1
_TRACED, _TRACED_MOMENT = 5, 3
# With dp-sgd: gradients of each example of a batch, and the noise of all steps with what its sampler takes. Measured.
_PER_EXAMPLE, _PER_NOISE = 3, 5
# Copies of float32 in a payload.
_WIDTH = {"vector": 1, "integers": 2, "ciphertext": 2}
# Of a batch, what layers return, its gradients and what convolutions need; and without gradients. Measured.
_TRAINED, _EVALUATED = 3, 1


def memory(made: Setup, sizes: ModelSizes, work: LayerWork) -> dict[str, Any]:
    """Copies of the model in float32 that a run holds at its peak, and bytes of memory and disk.

    An estimate for the mean and rules that collect updates; docs/performance.md has its error on measured models. The
    clients' data are not in it, nor what encryption, proofs and custom aggregators take.

    Args:
        made: the experiment.
        sizes: numbers of weights of the model.
        work: what its layers need.
    """
    strategy, experiment = made.protocol.strategy, made.experiment
    cohort = max(int(made.world.cohort.expected_size(made.num_clients)), 1)
    given = experiment.executor.parameters.get("workers")
    workers = min(given if isinstance(given, int) else available_cores(), cohort)
    # `check` does not load TensorFlow, which alone knows whether there is a GPU; where there is, one worker is default.
    on_gpu = workers if isinstance(given, int) else 1
    broadcasts = on_gpu if experiment.executor.name in OWN_PROCESSES else 1
    # An update may be several vectors, such as a delta and a control variate.
    update = 1 + _models(strategy.trainer.sends)
    own = _models(strategy.trainer.keeps)
    # What a client keeps is an array of its file and a tensor; what the server sends to all is one for each round.
    trains = _program(made, work) + update - 1 + 2 * own
    encoded, decoded = _at_once(made, sizes)
    of_a_client = max(trains, encoded + own)
    # An average is kept in float64.
    server = round(server_state_bytes(made) / _FLOAT32) + (2 if experiment.average else 0)
    sums = 2 if cohort <= BLOCK else 4
    collected = 0 if strategy.aggregator.is_sum else cohort * update
    # Of a large model each worker has one result, with what its client keeps, and the server adds another.
    # A rule that is no sum may keep what it returns, so that its mean is another vector. An average decays in another.
    kept_ones = round(client_state_bytes(made, sizes) / _FLOAT32 / max(sizes.trainable, 1))
    results = (workers + 1) * (update * (2 if _sends_integers(made) else 1) + kept_ones)
    means = 2 * update * (1 if strategy.aggregator.takes_sums else 2)
    step = means + 1 + server + (2 if experiment.average else 0)
    # Noise of earlier rounds, in the state before the round and in that after it.
    secret = noise_bytes(made, sizes)
    noise = 2 * math.ceil(secret / _FLOAT32 / max(sizes.trainable, 1))
    on_server = (
        1 + server + collected + max(sums * update + results + noise // 2, step, 2 * update + decoded + noise)
    )
    on_device = _ON_DEVICE + len(strategy.trainer.receives) + workers * of_a_client
    one = _FLOAT32 * (sizes.trainable + sizes.statistics)
    # Layers that stay with clients are trained like the others, and read from files like what clients keep.
    own_layers, of_own_layers = _FLOAT32 * sizes.personal, _program(made, work) + 2
    arrays = one * (on_server + on_device) + own_layers * (1 + workers * of_own_layers)
    checkpoint = sum(checkpoint_files(made, sizes).values())
    kept = _kept(experiment.checkpoint, experiment.rounds)
    tensorflow = _TENSORFLOW + _XLA * work.is_dense
    examples = max(_TRAINED * _batch(made), _EVALUATED * made.run.evaluation.batch_size)
    activations = _FLOAT32 * work.activations * examples
    facts = {
        "copies_of_the_model": -(-arrays // (one + own_layers)),
        "activation_bytes_per_worker": activations,
        "memory_bytes": tensorflow + arrays + workers * activations,
        "memory_is_for": _assumed(made, workers),
        "device_memory_bytes": one * (broadcasts * _ON_DEVICE + on_gpu * trains)
        + on_gpu * (own_layers * of_own_layers + activations),
        "checkpoint_bytes": checkpoint,
        "kept_checkpoints_bytes": checkpoint * kept,
    }
    if secret:
        facts["noise_of_earlier_rounds_bytes"] = secret
    if each := client_state_bytes(made, sizes):
        facts |= {
            "client_state_bytes": each,
            "kept_client_states_bytes": each * _most_states(made, kept),
        }
    if experiment.executor.name in OWN_PROCESSES:
        # Each has a model, a broadcast and a result of its own, and the driver has the model that it began with.
        facts["memory_bytes"] = tensorflow + one * (on_server + 1) + 2 * own_layers
        held = update * (min(BLOCK, cohort) + 2 if _folds(made) else 1)
        trained = one * (1 + _ON_DEVICE + of_a_client + held) + own_layers * (1 + of_own_layers)
        facts["worker_memory_bytes"] = tensorflow + trained + activations
    return facts


def _models(extras: Sequence[Extra]) -> int:
    """How many of a trainer's extras are as large as the model."""
    return sum(extra.size == "model" for extra in extras)


def _sends_integers(made: Setup) -> bool:
    """Whether clients send integers, which are int64."""
    return any(part.gives == "integers" for part in made.protocol.strategy.transforms)


def _at_once(made: Setup, sizes: ModelSizes) -> tuple[int, int]:
    """Copies of the model that the halves of transforms hold at most: with what it takes, and beside the sum."""
    encoded, decoded = [0.0], [0.0]
    for part, size in made.protocol.strategy.sized_transforms(sizes.trainable):
        share = size / max(sizes.trainable, 1)
        if part.acts_on_clients:
            # What it gives is counted as a result.
            encoded.append(share * (_WIDTH[part.takes] + part.client_copies - _WIDTH[part.gives]))
        decoded.append(share * part.server_copies)
    return math.ceil(max(encoded)), math.ceil(max(decoded))


def _program(made: Setup, work: LayerWork) -> int:
    """Copies of the model that the program of a client holds while it trains."""
    optimizer = make("client.optimizer", made.experiment.client.optimizer, kind=Optimizer)
    base, moment = (_COMPILED, _COMPILED_MOMENT) if work.is_dense else (_TRACED, _TRACED_MOMENT)
    copies: int = base + moment * optimizer.moments
    private = made.protocol.strategy.trainer.privacy
    return copies if private is None else copies + _PER_EXAMPLE * _batch(made) + _PER_NOISE * private.steps


def _batch(made: Setup) -> int:
    """Examples of a batch at most, or of an average one of the largest client."""
    batches, largest = made.training.batches, int(np.max(made.world.federation.num_train, initial=0))
    return math.ceil(batches.rate * largest) if batches.rate is not None else min(batches.batch_size, largest)


def _assumed(made: Setup, workers: int) -> str:
    """How many workers the figures are for, in words."""
    settings = made.experiment.executor.parameters
    many = f"{workers} worker{'s' * (workers > 1)}"
    if isinstance(settings.get("workers"), int):
        return many
    if settings.get("address") is not None:
        return f"{many} as this machine has cores; the cluster may have others, each with the worker memory"
    said = f"{many}, as this machine has cores" if workers == available_cores() else many
    return f"{said}; that of a device, for 1 worker" if workers > 1 else said


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
