"""Discrete Gaussian noise in shares: every client adds its own to its integers, and only the sum has enough."""

from __future__ import annotations

import math
import secrets
from dataclasses import replace

import numpy as np

from fedcli.components.transforms.fixed_point import packed_bytes
from fedcli.core.errors import ConfigError
from fedcli.core.factories import component
from fedcli.core.noise_multipliers import require_noise_multiplier
from fedcli.core.privacy_events import DistributedGaussianEvent
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.seeds import generator
from fedcli.core.transform import Transform
from fedcli.core.types import Tree
from fedcli.crypto.discrete_gaussian import discrete_gaussian, grid_variance
from fedcli.crypto.noise import KEY_BYTES

# The accounting needs the number of coordinates. A number that no model reaches costs nothing in epsilon if a share's
# deviation is above two steps.
_MOST_COORDINATES = 2**32
_MOST_BITS = 24
_LARGEST_DEVIATION = 2.0**26
_FURTHEST = 128  # deviations beyond which no sample lies


@component
def distributed_noise(
    *,
    noise_multiplier: float | None,
    clip_norm: float,
    bits: int = 20,
    contributors: int,
    colluders: int | None = None,
) -> Transform:
    """u_k <- u_k + N_Z(0, sigma^2) in every coordinate, with sigma = z B / sqrt(contributors - colluders).

    B = 2^bits bounds a client's norm on the grid (`fixed_point`). The sum over at least `contributors` clients, of
    whom some may reveal their noise, has a deviation of z B or more. With fewer updates nothing is decoded.

    Args:
        noise_multiplier: z, deviation of the guaranteed noise on the sum over the bound, 0 or 0.001 to
            1,000,000; null for the least that keeps the planned rounds within the strategy's epsilon.
        clip_norm: the clip before the grid, which the ledger states.
        bits: those of the grid before it, 1 to 24.
        contributors: clients without whose shares nothing is released, at least 1.
        colluders: those among them whose noise does not count, at least 0; because they may reveal it; null for
            as many as may collude under the assumption of the run's encryption, and 0 without encryption.

    Reference: Kairouz et al. 2021, arXiv:2102.06387; sampled exactly as in Canonne et al. 2020, arXiv:2004.00010.

    Deviations: no random rotation before the grid and no modulus after it: the sum is over whole integers.

    Example: noise_multiplier=1.0, clip_norm=1.0, contributors=2

    Needs: strategy={'transforms': ['finite', {'name': 'fixed-point', 'clip_norm': 1.0}], 'privacy': {'delta': 1e-5}}
    """
    # Noise that is calculated from epsilon is not known before the run is planned; until then there is none.
    multiplier = noise_multiplier or 0.0
    require_noise_multiplier(multiplier)
    # Nor is the number of colluders, if it is left to the encryption.
    colluders = colluders or 0
    # More than an integer grid has, which is checked where there is one.
    if not 1 <= bits <= _MOST_BITS:
        raise ConfigError(f"bits are 1 to {_MOST_BITS}; received {bits}.", key="bits")
    if not 0 <= colluders < contributors:
        raise ConfigError(
            f"{contributors} contributors of noise, {colluders} of whom collude, leave none.",
            key="colluders" if contributors >= 1 else "contributors",
            hint="Use at least one contributor more than colluders.",
        )
    bound = 2**bits
    deviation = multiplier * bound / math.sqrt(contributors - colluders)
    largest = bound + math.ceil(_FURTHEST * (deviation + 1)) if deviation else bound
    event = DistributedGaussianEvent(
        deviation, contributors, _MOST_COORDINATES, float(bound), colluders, clip_norm=clip_norm
    )

    def init(size: int) -> Tree:
        if size > min(4**bits, _MOST_COORDINATES):
            raise ConfigError(
                f"rounding {size:,} weights could move an update by half its bound of 2^{bits} steps.",
                key="strategy.bits",
                hint=f"Use bits of at least {math.ceil(math.log2(size) / 2) + 4}.",
            )
        if deviation > _LARGEST_DEVIATION:
            raise ConfigError(
                f"a share's deviation of {deviation:.3g} steps is too large to be drawn exactly.",
                key="strategy.bits",
                hint="Use fewer bits, or less noise.",
            )
        return {}

    def encode(update: ClientUpdate, _state: Tree, context: RoundContext) -> ClientUpdate:
        size = update.payload.size
        sent = update.bytes_up - packed_bytes(size, bound) + packed_bytes(size, largest)
        if not deviation:
            return replace(update, bytes_up=sent)
        key = _key(update.client, context)
        noise = discrete_gaussian(size, variance=grid_variance(deviation), key=key)
        # A proof of the noise's norm needs the noise apart from the update.
        told = {**update.private, "noise": noise}
        return replace(update, payload=update.payload + noise, bytes_up=sent, private=told)

    def admit(update: ClientUpdate, _state: Tree, _context: RoundContext) -> str | None:
        if update.payload.dtype != np.int64:
            return f"the update is a vector of {update.payload.dtype}; integers are expected"
        furthest = max(
            abs(int(end)) for end in (update.payload.min(initial=0), update.payload.max(initial=0))
        )
        if furthest > largest:
            return f"a coordinate of {furthest} steps exceeds what bound and noise allow, {largest}"
        # Weights by example counts, which are not noised, would show in the sum.
        return None if update.weight == 1 else f"the update has weight {update.weight:.6g}; 1 is expected"

    return Transform(
        "distributed_noise",
        init=init,
        encode=encode,
        admit=admit,
        client_copies=6,
        takes="integers",
        gives="integers",
        privacy=event,
        coded_bytes=lambda size: packed_bytes(size, largest),
        # A share's noise is many times the bound, so that the grid's check would refuse every update.
        hides=True,
        min_clients=contributors,
    )


def _key(client: int, context: RoundContext) -> bytes:
    if context.reproducible_noise:
        return generator(context.root, context.round, client, "noise").bytes(KEY_BYTES)
    return secrets.token_bytes(KEY_BYTES)
