"""Noise multipliers: the noise's standard deviation over the bound on one client's contribution."""

from __future__ import annotations

import math

from fedcli.core.errors import ConfigError, require_positive

# Beyond these, epsilon is above 10^6 or below 10^-5 a release, and accountants overflow before they come to that.
_LEAST, _MOST = 0.001, 1_000_000


def noise_deviation(noise_multiplier: float, clip_norm: float) -> float:
    """Standard deviation of the noise on a sum: the product of both; 0 without noise, whatever the clip norm.

    Raises:
        ConfigError: if one of them is outside its range, or the noise would be infinite.
    """
    require_noise_multiplier(noise_multiplier)
    require_positive("clip_norm", clip_norm)
    if noise_multiplier and math.isinf(clip_norm):
        raise ConfigError(
            f"noise is scaled to the clip norm; received {clip_norm}, so the noise would be infinite.",
            key="clip_norm",
            hint="Use a finite clip_norm, or a noise_multiplier of 0.",
        )
    # 0 times an infinite clip norm would be NaN.
    return noise_multiplier * clip_norm if noise_multiplier else 0.0


def update_noise_multiplier(noise_multiplier: float, count_deviation: float) -> float:
    """Noise multiplier for the updates: with the noised count, they cost as much as one release at `noise_multiplier`.

    `z_delta = (z^-2 - (2 sigma_b)^-2)^(-1/2)`. A client moves the count, shifted by 1/2, by at most 1/2. The count's
    deviation sigma_b is therefore a multiplier of 2 sigma_b.

    Args:
        noise_multiplier: z of the joint release, above 0.
        count_deviation: sigma_b, the noise deviation on the count of unclipped clients, above z / 2.

    Raises:
        ConfigError: if the count's noise leaves nothing for the updates.

    Reference: Andrew et al. 2021, arXiv:1905.03871, Theorem 1.
    """
    # Without noise there is nothing to pay for, and the formula would divide by 0.
    if noise_multiplier == 0:
        return 0.0
    # Otherwise nothing of the budget is left for the updates.
    if not noise_multiplier < 2 * count_deviation:
        raise ConfigError(
            f"the count's noise alone costs more than a noise multiplier of {noise_multiplier:g} allows: "
            f"its deviation is {count_deviation:g}.",
            key="count_deviation",
            hint=f"Use a count_deviation above noise_multiplier / 2 = {noise_multiplier / 2:g}; the paper "
            "uses a twentieth of the planned cohort.",
        )
    return 1 / math.sqrt(noise_multiplier**-2 - (2 * count_deviation) ** -2)


def require_noise_multiplier(value: float) -> None:
    """Refuse a noise multiplier that is negative, not a number, or beyond what the accountants can calculate."""
    if value != 0 and not _LEAST <= value <= _MOST:
        raise ConfigError(
            f"a noise multiplier is 0, or a number from {_LEAST} to {_MOST:,}; received {value}.",
            key="noise_multiplier",
        )
