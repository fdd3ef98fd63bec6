"""Laws of local algorithms, which train one client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from fedcli.components.aggregators import mean
from fedcli.core.contracts import Extra, ServerOptimizer, Strategy, TrainerSpec
from fedcli.core.rounds import Assignment, Broadcast, ClientUpdate, RoundState
from fedcli.core.sampling_scheme import PrivacyTarget
from fedcli.core.types import Array, Tree, Vector
from fedcli.engine.setup import Assembly
from fedcli.testing.laws import described, is_vector, law, same_bits, same_state, written_and_read
from fedcli.testing.tiny import assembled

_UNEQUAL = "data.partition={name: quantity-dirichlet, clients: 4, alpha: 2.0, min_size: 3}"
_TRAINING = 12  # training examples of a client of the tiny experiment


def check_trainer(spec: TrainerSpec, *, settings: Sequence[str] = ()) -> None:
    """Check a local algorithm against the laws of fedcli's own, on the clients of a tiny experiment.

    Args:
        spec: the local algorithm.
        settings: changes to the experiment that it needs, each `key=value` as after `fedcli run --set`.

    Raises:
        AssertionError: names the law that does not hold.
        ConfigError: if the algorithm or a setting is refused before training.
    """
    # Clients of unequal size, so that one compiled program must serve them all.
    with _clients(spec, [_UNEQUAL, *settings]) as (assembly, state):
        update = _train(assembly, state, 0, {})
        extras = "".join(f", {extra.name} ({_size_text(extra)})" for extra in spec.sends)
        law(
            is_vector(update.payload, assembly.payload_size),
            f"{spec.name}: a payload is float32, finite and of the declared length, [{assembly.payload_size}]: "
            f"the delta{extras}; it is {described(update.payload)}.",
        )
        law(
            np.isfinite(list(update.metrics.values())).all(),
            f"{spec.name}: the training metrics are finite; they are {dict(update.metrics)}.",
        )
        _check_kept(spec, assembly, state, update)

        first, again = (_train(assembly, state, 1, {}) for _ in range(2))
        law(
            same_bits(first.payload, again.payload) and same_state(first.state, again.state),
            f"{spec.name}: the same start gives the same bits; does it draw at random?",
        )
        # A runtime that does not count its traces passes.
        traces = getattr(assembly.clients.side.runtime, "num_traces", 1)
        law(traces == 1, f"{spec.name}: one trace serves clients of every size; there were {traces}.")
        if spec.personalise is not None:
            own = spec.personalise(state.weights, update.state)
            law(
                is_vector(own, state.weights.size),
                f"{spec.name}: personalise gives all weights of the client's own model, float32 "
                f"[{state.weights.size}]; it gave {described(own)}.",
            )
    _check_padding(spec, settings)


@contextmanager
def _clients(spec: TrainerSpec, settings: Sequence[str]) -> Iterator[tuple[Assembly, RoundState]]:
    def apply(weights: Vector, mean: Array, state: Tree, _share: float) -> tuple[Vector, Tree]:
        return (weights + mean[: weights.size]).astype(np.float32), state

    def init(weights: Vector) -> Tree:
        # What the trainer receives from its own server optimizer starts at zero.
        return {name: np.zeros_like(weights) for name in spec.receives}

    server = ServerOptimizer("along-the-delta", init, apply, lambda state: state)
    # No epsilon is stated here, but a private strategy must have a delta.
    target = None if spec.privacy is None else PrivacyTarget(delta=1e-3)
    with assembled(Strategy(spec.name, spec, mean(), server, privacy=target), settings) as made:
        yield made


def _train(assembly: Assembly, state: RoundState, client: int, kept: Tree) -> ClientUpdate:
    extras = assembly.strategy.server.broadcast(state.server)
    start = assembly.clients.side.runtime.prepare(Broadcast(1, state.weights, state.statistics, 1.0, extras))
    return assembly.clients.side.runtime.train(start, Assignment(client, kept))


def _check_kept(spec: TrainerSpec, assembly: Assembly, state: RoundState, update: ClientUpdate) -> None:
    size = state.weights.size
    for extra in spec.keeps:
        value = np.asarray(update.state.get(extra.name))
        shape = (size,) if extra.size == "model" else ()
        law(
            value.shape == shape and value.dtype == np.float32 and np.isfinite(value).all(),
            f"{spec.name}: a client keeps {extra.name} as declared, {_size_text(extra)}, float32 {list(shape)} and "
            f"finite; it is {described(value)}.",
        )
    kept = written_and_read(update.state, spec.name)
    second, resumed = _train(assembly, state, 0, update.state), _train(assembly, state, 0, kept)
    law(
        same_bits(second.payload, resumed.payload) and same_state(second.state, resumed.state),
        f"{spec.name}: a client's state gives the same bits after it was written to a file and read.",
    )
    law(
        is_vector(second.payload, assembly.payload_size),
        f"{spec.name}: a client's second participation gives a finite payload too; it is "
        f"{described(second.payload)}.",
    )


def _check_padding(spec: TrainerSpec, settings: Sequence[str]) -> None:
    """One batch of all examples gives the same update with padding and without."""
    payloads = []
    for batch_size in (_TRAINING, _TRAINING + 4):
        with _clients(spec, [*settings, f"client.batch_size={batch_size}"]) as (assembly, state):
            payloads.append(_train(assembly, state, 0, {}).payload)
    law(
        np.allclose(payloads[0], payloads[1], rtol=1e-3, atol=1e-5),
        f"{spec.name}: the padding of a batch, which the mask marks, changes only rounding; the update moved by "
        f"{np.abs(payloads[0] - payloads[1]).max():.3g}.",
    )


def _size_text(extra: Extra) -> str:
    return "as long as the model" if extra.size == "model" else "one number"
