"""Sizes of a run's files from its plan, and refusal of what could not be read again, before its directory is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fedcli.core.errors import ConfigError
from fedcli.core.user_code import blamed
from fedcli.engine.setup import Setup
from fedcli.store.checkpoints import AVERAGE, STATE, WEIGHTS
from fedcli.store.files import limits

_FLOAT32, _FLOAT64 = 4, 8
# The room for names and headers in a file of arrays, of thousands of layers at most.
_HEADERS = 1 << 20
# Sizes of a model by which the growth of a state is measured. Not 1 and 2, of which shares cannot be taken.
_SIZES = (1000, 2000)
# In the index of kept states: client, round, SHA-256.
_INDEXED = 48

# Of a line of clients.jsonl, from above: measured, 180 bytes with two metrics, and 220 with a simulated clock as well.
_LINE, _METRIC = 160, 48
# A public key in environment.json with its quotes, comma and indent; and room for everything else that it says.
_KEY, _ELSE = 71, 1 << 20


class ModelSizes(NamedTuple):
    """Numbers of weights of a model: those that a `RoundState` has in its vectors."""

    trainable: int
    statistics: int = 0
    frozen: int = 0
    personal: int = 0


def server_state_bytes(made: Setup) -> float:
    """Bytes of the server optimizer's state for each weight."""
    server = made.protocol.strategy.server
    vectors = (np.zeros(size, np.float32) for size in _SIZES)
    return _growth(f"the server optimizer {server.name}", server.init, *vectors)


def client_state_bytes(made: Setup, sizes: ModelSizes) -> int:
    """Bytes that a client keeps on disk from one turn to the next; scalars are left out."""
    strategy = made.protocol.strategy
    kept = sizes.trainable * sum(extra.size == "model" for extra in strategy.trainer.keeps)
    kept += sum(part.keeps(size) for part, size in strategy.sized_transforms(sizes.trainable))
    own = sizes.statistics if made.experiment.model.non_trainable == "local" else 0
    return _FLOAT32 * (kept + own + sizes.personal)


def checkpoint_files(made: Setup, sizes: ModelSizes) -> dict[str, int]:
    """Bytes of the arrays of a checkpoint at most, by file."""
    strategy, average = made.protocol.strategy, made.run.average_decay is not None
    model = _FLOAT32 * sum(sizes)
    state = sizes.trainable * (server_state_bytes(made) + (_FLOAT64 if average else 0))
    rule, small, large = strategy.aggregator, *(strategy.payload_sizes(size) for size in _SIZES)
    grown = _growth(f"the aggregator {rule.name}", rule.init, small[-1], large[-1])
    for part, *lengths in zip(strategy.transforms, small, large, strict=False):
        # Transforms on integers keep no array as large as the model, and refuse sizes.
        if part.takes != "integers":
            grown += _growth(f"the transform {part.name}", part.init, *lengths)
    state += sizes.trainable * grown
    state += _older_models(made, sizes)
    if client_state_bytes(made, sizes):
        state += _INDEXED * min(made.num_clients, round(made.updates_per_round * made.run.rounds))
    return {
        WEIGHTS: model,
        **({AVERAGE: model} if average else {}),
        STATE: round(state),
    }


def models_kept(made: Setup) -> int:
    """Older models that an asynchronous run keeps at worst."""
    buffer, at_work = made.protocol.strategy.buffer, int(made.world.cohort.expected_size(made.num_clients))
    return 0 if buffer is None else buffer.most_models(at_work=at_work, rounds=made.run.rounds)


def _older_models(made: Setup, sizes: ModelSizes) -> int:
    return models_kept(made) * _FLOAT32 * (sizes.trainable + sizes.statistics)


def warnings_of_arrays(made: Setup, sizes: ModelSizes) -> list[str]:
    """A warning if an asynchronous run may keep more older models than fit into a file, which it need not do."""
    largest = checkpoint_files(made, sizes)[STATE]
    if largest + _HEADERS <= limits.BINARY:
        return []
    return [
        f"if the run keeps {models_kept(made)} older models at once, {STATE} has {largest:,} bytes, and its checkpoint "
        f"fails above {limits.BINARY:,}; fewer clients at work or a smaller max_staleness keep it below."
    ]


def noise_bytes(made: Setup, sizes: ModelSizes) -> int:
    """Bytes of the noise of earlier rounds, at most, which is secret and has a file of its own."""
    parts = made.protocol.strategy.sized_transforms(sizes.trainable)
    return sum(part.secret_bytes(size, made.run.rounds) for part, size in parts)


def check_arrays(made: Setup, sizes: ModelSizes) -> None:
    """Refuse a model of which a file of the run would be larger than what is read again.

    Older models of an asynchronous run are not counted: how many there are depends on the course of the run.

    Raises:
        ConfigError: with the file, its bytes, and how many weights fit.
    """
    checkpoint = checkpoint_files(made, sizes)
    files = {
        **checkpoint,
        STATE: checkpoint[STATE] - _older_models(made, sizes),
        "the state of a client": client_state_bytes(made, sizes),
        "the noise of earlier rounds": noise_bytes(made, sizes),
    }
    file, size = max(files.items(), key=lambda item: item[1])
    if size + _HEADERS <= limits.BINARY:
        return
    way_out = {
        STATE: [
            ", or a strategy whose server keeps less",
            ", or no `average`" * (made.run.average_decay is not None),
        ],
        "the noise of earlier rounds": [", or fewer bands"],
    }.get(file, [])
    fit = int(sum(sizes) * (limits.BINARY - _HEADERS) / size)
    raise ConfigError(
        f"{file} would have {size:,} bytes for a model of {sum(sizes):,} weights; a file of arrays that can be read "
        f"again has at most {limits.BINARY:,}.",
        key="model",
        hint=f"Use a model of at most {fit:,} weights{''.join(way_out)}.",
    )


def _growth(what: str, init: Callable[[Any], Any], small: Any, large: Any) -> float:
    """Bytes by which a component's state grows with each weight of the model."""
    with blamed(f"init of {what}", of=init):
        return (_bytes(init(large)) - _bytes(init(small))) / (_SIZES[1] - _SIZES[0])


def _bytes(tree: Any) -> int:
    if hasattr(tree, "values"):
        return sum(_bytes(value) for value in tree.values())
    return int(np.asarray(tree).nbytes)


def warnings_of_lists(made: Setup) -> list[str]:
    """A warning if the planned rounds make more turns of clients than clients.jsonl may have lines."""
    line = _LINE + _METRIC * len(made.training.task.names)
    most = limits.LOG // line
    turns = round(made.updates_per_round * made.run.rounds)
    if turns <= most or made.protocol.publishes_noised_only:
        return []
    return [
        f"{made.run.rounds:,} rounds of {made.updates_per_round:,.6g} clients make {turns:,} lines of clients.jsonl, "
        f"about {turns * line:,} bytes; the run ends where the log reaches {limits.LOG:,} bytes, after some "
        f"{int(most / made.updates_per_round):,} rounds."
    ]


def check_signers(made: Setup) -> None:
    """Refuse more clients who sign than environment.json has room for their keys.

    Raises:
        ConfigError: with the number that fits.
    """
    signers = (limits.JSON - _ELSE) // _KEY
    if made.experiment.proofs is not None and made.num_clients > signers:
        raise ConfigError(
            f"the public keys of {made.num_clients:,} clients, who sign their proofs, do not fit into "
            f"environment.json, which has at most {limits.JSON:,} bytes.",
            key="proofs",
            hint=f"Use at most {signers:,} clients, or leave proofs out.",
        )
