"""Laws of server optimizers, which move the global weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fedcli.core.contracts import Extra, ServerOptimizer
from fedcli.core.types import Array
from fedcli.testing.laws import described, is_vector, law, noise, same_bits, same_state, written_and_read

_SIZE = 4


def check_server_optimizer(optimizer: ServerOptimizer, *, sends: Sequence[Extra] = ()) -> None:
    """Check a server optimizer against the laws of fedcli's own server optimizers.

    Args:
        optimizer: the server optimizer.
        sends: extra values that its trainer sends after the delta. In this check vectors are 0 and scalars are 1.

    Raises:
        AssertionError: names the law that does not hold.
    """
    law(optimizer.name, "a server optimizer has a name.")
    weights, mean = noise(2, _SIZE), _mean(noise(3, _SIZE), sends)
    given, handed = weights.copy(), mean.copy()
    state = optimizer.init(given)
    kept = written_and_read(state, optimizer.name)
    optimizer.apply(given, handed, state, 0.5)
    law(
        same_bits(given, weights) and same_bits(handed, mean) and same_state(state, kept),
        f"{optimizer.name}: it leaves the weights, the mean and the state that it is given unchanged.",
    )
    _check_first_step(optimizer, sends)
    _check_course(optimizer, sends)


def _mean(delta: Array, sends: Sequence[Extra]) -> npt.NDArray[np.float64]:
    extras = [np.zeros_like(delta) if extra.size == "model" else np.ones(1) for extra in sends]
    return np.concatenate([delta, *extras]).astype(np.float64)


def _check_first_step(optimizer: ServerOptimizer, sends: Sequence[Extra]) -> None:
    weights = noise(1, _SIZE)
    # Of the first round only: in later ones momentum may go on.
    still, _ = optimizer.apply(weights, _mean(np.zeros(_SIZE), sends), optimizer.init(weights), 1.0)
    law(
        same_bits(still, weights),
        f"{optimizer.name}: a mean update of zero leaves the weights of the first round; {weights} became {still}.",
    )
    delta = np.array([0.5, -1.0, 0.25, -0.125])
    moved, _ = optimizer.apply(weights, _mean(delta, sends), optimizer.init(weights), 1.0)
    law(
        # Only the signs, because adaptive steps scale each coordinate.
        (np.sign(moved - weights) == np.sign(delta)).all(),
        f"{optimizer.name}: the first step goes along the mean update {delta}, not against it; it is "
        f"{moved - weights}.",
    )


def _check_course(optimizer: ServerOptimizer, sends: Sequence[Extra]) -> None:
    weights = resumed = noise(4, _SIZE)
    state = optimizer.init(weights)
    for round in range(3):
        # As on resume: the state comes from a file.
        reread = written_and_read(state, optimizer.name)
        for name, vector in optimizer.broadcast(reread).items():
            law(
                is_vector(vector, _SIZE),
                f"{optimizer.name}: what it broadcasts is as long as the weights, float32 [{_SIZE}]; {name} is "
                f"{described(vector)}.",
            )
        mean = _mean(noise(5 + round, _SIZE), sends)
        resumed, _ = optimizer.apply(weights, mean, reread, 0.5)
        weights, state = optimizer.apply(weights, mean, state, 0.5)
        law(
            is_vector(weights, _SIZE),
            f"{optimizer.name}: the weights stay finite, float32 and of shape [{_SIZE}]; they are "
            f"{described(weights)}.",
        )
        law(
            same_bits(weights, resumed),
            f"{optimizer.name}: a state that was written to a file and read gives the same bits in the next round.",
        )
