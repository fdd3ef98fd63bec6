"""Central Gaussian noise on the sum of clipped updates."""

from __future__ import annotations

import math
import secrets
from typing import Literal

import numpy as np

from fedcli.core.factories import component
from fedcli.core.integer_grid import IntegerGrid
from fedcli.core.noise_multipliers import noise_deviation
from fedcli.core.privacy_events import GaussianEvent
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundContext
from fedcli.core.seeds import SERVER, generator
from fedcli.core.transform import Transform
from fedcli.core.types import Tree
from fedcli.core.vectors import squared_norm
from fedcli.crypto.gaussian_steps import gaussian_steps, noise_grid
from fedcli.crypto.noise import KEY_BYTES


@component
def gaussian_noise(
    *, noise_multiplier: float | None, clip_norm: float, clipping: Literal["fixed", "per-layer"] = "fixed"
) -> Transform:
    """Sum of the updates + N(0, (noise_multiplier * clip_norm)^2) in every coordinate.

    The noise is drawn once a round, also for an empty cohort, from a ChaCha20 stream that the operating system keys,
    or that the seed keys where `reproducible_noise` is set. The sum is rounded to a grid whose step is at most 2^-25
    of the noise's deviation, and the noise is a whole number of steps, by the exact sampler
    (`crypto/gaussian_steps.py`).

    Args:
        noise_multiplier: noise standard deviation over clip norm, 0 or 0.001 to 1,000,000; null for the least
            that keeps the planned rounds within the strategy's epsilon.
        clip_norm: bound on one client's L2 norm in the sum, above 0.
        clipping: how updates are clipped to that bound, for the privacy statement.

    Reference: McMahan et al. 2018, arXiv:1710.06963.

    Example: noise_multiplier=1.0, clip_norm=1.0

    Needs: strategy={'transforms': [{'name': 'clip', 'clip_norm': 1.0}], 'privacy': {'delta': 1e-5}}
    """
    # Noise that is calculated from epsilon is not known before the run is planned; until then there is none.
    multiplier = noise_multiplier or 0.0
    deviation = noise_deviation(multiplier, clip_norm)

    def admit(update: ClientUpdate, _state: Tree, _context: RoundContext) -> str | None:
        # Epsilon holds only if no client moves the sum further than this, so the bound is checked here once more.
        norm = math.sqrt(squared_norm(update.payload))
        return (
            None if norm <= clip_norm else f"the update's norm {norm:.9g} exceeds the noise's {clip_norm:g}"
        )

    def decode(aggregate: Aggregate, state: Tree, context: RoundContext) -> tuple[Aggregate, Tree]:
        if not deviation:
            # Nothing is added, not even 0.0, so that without noise the sum stays the same to the bit.
            return aggregate, state
        grid = noise_grid(deviation, bound=clip_norm, dimension=aggregate.value.size)
        return aggregate._replace(value=grid.noised(aggregate.value, key=noise_key(context))), state

    event = GaussianEvent(multiplier, clip_norm, clipping)
    return Transform(
        "gaussian_noise",
        admit=admit,
        decode=decode,
        privacy=event,
        server_copies=4,
        on_grid=lambda grid: _integer_noise(event, grid),
    )


def _integer_noise(event: GaussianEvent, grid: IntegerGrid) -> Transform:
    """Sum of the integers + whole steps of a Gaussian with deviation z B, with B = 2^bits steps for one clip norm."""
    deviation = event.noise_multiplier * grid.largest

    def decode(aggregate: Aggregate, state: Tree, context: RoundContext) -> tuple[Aggregate, Tree]:
        # A round without updates has a sum of zeros, which are not integers yet.
        total = aggregate.value.astype(np.int64)
        if deviation:
            total = total + gaussian_steps(total.size, deviation=deviation, key=noise_key(context))
        return aggregate._replace(value=total), state

    return Transform(
        "gaussian_noise", decode=decode, takes="integers", gives="integers", privacy=event, server_copies=6
    )


def noise_key(context: RoundContext) -> bytes:
    """The key of a round's central noise: the operating system's, or the seed's where that was asked for."""
    if context.reproducible_noise:
        return generator(context.root, context.round, SERVER, "noise").bytes(KEY_BYTES)
    return secrets.token_bytes(KEY_BYTES)
