"""Updates in fewer bits a coordinate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fedcli.core.errors import ConfigError
from fedcli.core.factories import component
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.seeds import generator
from fedcli.core.transform import Transform
from fedcli.core.types import Tree, Vector

_SCALE_BYTES = 4


@component
def quantise(*, bits: int = 8, stochastic: bool = False) -> Transform:
    """u <- s * round(u / s), with s = max |u| / (2^(bits - 1) - 1); bits a coordinate and one float are sent.

    Args:
        bits: bits of a coordinate, 2 to 16.
        stochastic: round up or down at random, so that the result is u in the mean.

    Reference: Alistarh et al. 2017, arXiv:1610.02132 (QSGD), with the maximum norm as its scale.
    """
    if not 2 <= bits <= 16:
        raise ConfigError(f"a coordinate has 2 to 16 bits; received {bits}.", key="bits")
    # As many levels below 0 as above it, so that 0 stays 0; one code is not used.
    levels = 2 ** (bits - 1) - 1

    def coded_bytes(size: int) -> int:
        return -(-size * bits // 8) + _SCALE_BYTES

    def encode(update: ClientUpdate, _state: Tree, context: RoundContext) -> ClientUpdate:
        vector: Vector = update.payload
        largest = float(np.abs(vector).max(initial=0.0))
        sent = replace(update, bytes_up=update.bytes_up - vector.nbytes + coded_bytes(vector.size))
        # Zeros have no scale, and what is not finite is refused on arrival.
        if not largest or not np.isfinite(largest):
            return sent
        scaled = vector * np.float32(levels / largest)
        if stochastic:
            rng = generator(context.root, context.round, update.client, "quantise")
            scaled = np.floor(scaled + rng.random(vector.size, np.float32))
        else:
            scaled = np.rint(scaled)
        # A product that was rounded up in float32 could otherwise reach one level too many.
        whole = np.clip(scaled, -levels, levels)
        return replace(sent, payload=(whole * np.float32(largest / levels)).astype(np.float32))

    return Transform("quantise", encode=encode, coded_bytes=coded_bytes, client_copies=5 if stochastic else 4)
