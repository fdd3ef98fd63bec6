"""Gaussian noise that every client adds to its own update."""

from __future__ import annotations

import math
import secrets
from dataclasses import replace

import numpy as np

from fedcli.core.errors import InvalidUpdateError
from fedcli.core.factories import component
from fedcli.core.noise_multipliers import noise_deviation
from fedcli.core.privacy_events import LocalGaussianEvent
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.seeds import generator
from fedcli.core.transform import Transform
from fedcli.core.types import Tree
from fedcli.core.vectors import squared_norm
from fedcli.crypto.gaussian_steps import noise_grid
from fedcli.crypto.noise import KEY_BYTES


@component
def local_noise(*, noise_multiplier: float | None, clip_norm: float) -> Transform:
    """u_k <- u_k + N(0, (noise_multiplier * clip_norm)^2) in every coordinate, before it leaves the client.

    The update is rounded to a grid whose step is at most 2^-25 of the noise's deviation, and the noise is a whole
    number of steps, by the exact sampler (`crypto/gaussian_steps.py`). What is sent is rounded to float32 afterwards.

    This protects a client from the server too. A noised update can have any norm, so that the server cannot check the
    clip, and an attacker's update is not bounded.

    Args:
        noise_multiplier: noise standard deviation over clip norm, 0 or 0.001 to 1,000,000; null for the least
            that keeps the planned rounds within the strategy's epsilon.
        clip_norm: bound on the update's L2 norm before the noise, above 0; a longer one is not sent.

    Raises:
        InvalidUpdateError: from `encode`, for an update that the noise does not cover.

    Reference: Dwork and Roth 2014, the Gaussian mechanism in the local model.

    Example: noise_multiplier=4.0, clip_norm=1.0

    Needs: strategy={'transforms': ['finite', {'name': 'clip', 'clip_norm': 1.0}], 'privacy': {'delta': 1e-5}}
    """
    # Noise that is calculated from epsilon is not known before the run is planned; until then there is none.
    multiplier = noise_multiplier or 0.0
    deviation = noise_deviation(multiplier, clip_norm)

    def encode(update: ClientUpdate, _state: Tree, context: RoundContext) -> ClientUpdate:
        norm = math.sqrt(squared_norm(update.payload))
        # Not `norm > clip_norm`, which would let NaN pass.
        if not norm <= clip_norm:
            raise InvalidUpdateError(
                f"the update has NaN, or its norm {norm:.6g} exceeds the noise's {clip_norm:g}"
            )
        if not deviation:
            return update
        grid = noise_grid(deviation, bound=clip_norm, dimension=update.payload.size)
        payload = grid.noised(update.payload, key=_key(update.client, context))
        return replace(update, payload=payload.astype(np.float32))

    event = LocalGaussianEvent(multiplier, clip_norm)
    # It hides, because a noised update can have any norm: an earlier check of the clip would refuse it.
    return Transform("local_noise", encode=encode, privacy=event, client_copies=5, hides=True)


def _key(client: int, context: RoundContext) -> bytes:
    if context.reproducible_noise:
        return generator(context.root, context.round, client, "noise").bytes(KEY_BYTES)
    return secrets.token_bytes(KEY_BYTES)
