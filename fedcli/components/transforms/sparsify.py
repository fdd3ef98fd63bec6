"""Updates with few coordinates; what is left out is kept and sent later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fedcli.core.contracts import Transform
from fedcli.core.errors import ConfigError, InvalidUpdateError
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.seeds import generator
from fedcli.core.types import Tree, Vector

_VALUE_BYTES, _INDEX_BYTES, _SEED_BYTES = 4, 4, 8

Indices = npt.NDArray[np.int64]
Choose = Callable[[Vector, int, ClientUpdate, RoundContext], Indices]


def top_k(*, fraction: float = 0.01, error_feedback: bool = True) -> Transform:
    """Only the coordinates of largest magnitude are sent, each as its value and its place.

    Args:
        fraction: share of the coordinates, in (0, 1]; at least one is sent.
        error_feedback: add what was left out to the client's next update.

    Reference: Aji and Heafield 2017, arXiv:1704.05021; error feedback: Karimireddy et al. 2019, arXiv:1901.09847.
    """

    def largest(vector: Vector, count: int, _update: ClientUpdate, _context: RoundContext) -> Indices:
        if count == vector.size:
            return np.arange(count, dtype=np.int64)
        return np.argpartition(np.abs(vector), vector.size - count)[vector.size - count :]

    def size(count: int, total: int) -> int:
        # The places as a list or as one bit a coordinate, whichever is shorter.
        return count * _VALUE_BYTES + min(count * _INDEX_BYTES, -(-total // 8))

    return _sparse("top_k", largest, size, fraction, error_feedback)


def random_k(*, fraction: float = 0.01, error_feedback: bool = True) -> Transform:
    """Only coordinates drawn at random are sent; the server knows which from a seed.

    Args:
        fraction: share of the coordinates, in (0, 1]; at least one is sent.
        error_feedback: add what was left out to the client's next update. Without it the values that are
            sent are scaled up by the inverse of the share, so that the result is the update in the mean.

    Reference: Wangni et al. 2018, arXiv:1710.09854; error feedback: Karimireddy et al. 2019, arXiv:1901.09847.
    """

    def drawn(vector: Vector, count: int, update: ClientUpdate, context: RoundContext) -> Indices:
        rng = generator(context.root, context.round, update.client, "random_k")
        return rng.choice(vector.size, count, replace=False, shuffle=False)

    return _sparse(
        "random_k",
        drawn,
        lambda count, _total: count * _VALUE_BYTES + _SEED_BYTES,
        fraction,
        error_feedback,
        unbiased=not error_feedback,
    )


def _sparse(
    name: str,
    choose: Choose,
    bytes_of: Callable[[int, int], int],
    fraction: float,
    error_feedback: bool,
    *,
    unbiased: bool = False,
) -> Transform:
    if not 0 < fraction <= 1:
        raise ConfigError(f"fraction lies in (0, 1]; received {fraction}.", key="fraction")

    def count_of(size: int) -> int:
        return max(1, round(fraction * size))

    def coded_bytes(size: int) -> int:
        return bytes_of(count_of(size), size)

    def encode(update: ClientUpdate, _state: Tree, context: RoundContext) -> ClientUpdate:
        vector: Vector = update.payload
        if name in update.state:
            vector = vector + update.state[name]
        if not np.isfinite(vector).all():
            raise InvalidUpdateError("the update has NaN or infinite values, of which some would be kept")
        count = count_of(vector.size)
        places = choose(vector, count, update, context)
        sparse = np.zeros_like(vector)
        sparse[places] = vector[places] * np.float32(vector.size / count if unbiased else 1.0)
        coded = update.bytes_up - update.payload.nbytes + coded_bytes(vector.size)
        state = {**update.state, name: vector - sparse} if error_feedback else update.state
        return replace(update, payload=sparse, bytes_up=coded, state=state)

    return Transform(name, encode=encode, coded_bytes=coded_bytes)
