"""Shared code of the transforms that send few coordinates, and keep the others to send them later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError, InvalidUpdateError
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.transform import Transform
from fedcli.core.types import Tree, Vector

VALUE_BYTES = 4

Indices = npt.NDArray[np.int64]
Choose = Callable[[Vector, int, ClientUpdate, RoundContext], Indices]


def sparsify(
    name: str,
    choose: Choose,
    bytes_of: Callable[[int, int], int],
    fraction: float,
    error_feedback: bool,
    *,
    unbiased: bool = False,
) -> Transform:
    """A transform that sends the coordinates that `choose` names.

    Args:
        name: its name, under which a client keeps what was left out.
        choose: `(vector [P], count, update, context)` -> the places of `count` coordinates.
        bytes_of: `(count, P)` -> bytes of a coded update.
        fraction: share of the coordinates, in (0, 1].
        error_feedback: add what was left out to the client's next update.
        unbiased: scale the values up, so that the result is the update in the mean.
    """
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
        # What is left out is added to the next update, so that one NaN would spoil all updates of this client.
        if not np.isfinite(vector).all():
            raise InvalidUpdateError("the update has NaN or infinite values, of which some would be kept")
        count = count_of(vector.size)
        places = choose(vector, count, update, context)
        sparse = np.zeros_like(vector)
        sparse[places] = vector[places] * np.float32(vector.size / count if unbiased else 1.0)
        coded = update.bytes_up - update.payload.nbytes + coded_bytes(vector.size)
        state = {**update.state, name: vector - sparse} if error_feedback else update.state
        return replace(update, payload=sparse, bytes_up=coded, state=state)

    def kept(size: int) -> int:
        return size if error_feedback else 0

    return Transform(name, encode=encode, coded_bytes=coded_bytes, keeps=kept, client_copies=6)
