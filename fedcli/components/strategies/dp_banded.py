"""FedAvg with client-level differential privacy and noise that a banded matrix correlates."""

from __future__ import annotations

from fedcli.components.strategies.fedavg import fedavg
from fedcli.components.transforms import banded_noise, clip
from fedcli.core.contracts import Strategy
from fedcli.core.sampling_scheme import PrivacyTarget


def dp_banded(
    *,
    clip_norm: float,
    noise_multiplier: float,
    bands: int,
    delta: float,
    epsilon: float | None = None,
    server_learning_rate: float = 1.0,
) -> Strategy:
    """FedAvg of clipped updates with noise that a banded matrix correlates over rounds.

    A client pays once for each of its turns, as for independent noise, while a part of the noise cancels from
    round to round. With a rate in the cohort, sampling amplifies each turn as well.

    Formula: w <- w + server_learning_rate * (sum_k u_k min(1, C / ||u_k||) + b_t) / m, with C = clip_norm, m the
    planned size of a cohort, and noise b that solves A b = z, where z is N(0, (noise_multiplier C)^2) in every
    round and A is lower triangular with `bands` diagonals.

    Args:
        clip_norm: largest L2 norm of one client's update, above 0.
        noise_multiplier: standard deviation of the uncorrelated noise over clip norm, 0 or 0.001 to 1,000,000.
        bands: rounds over which noise is correlated, 1 to 10,000; 1 is independent noise.
        delta: the delta at which epsilon is stated, in (0, 1); well below 1 over the number of clients.
        epsilon: budget, above 0; the run stops before the round that would exceed it.
        server_learning_rate: the server's step along the noised mean, above 0.

    Reference: Choquette-Choo et al. 2023, arXiv:2306.08153.

    Deviations: the matrix is the banded square root of Kalinin and Lampert 2024, arXiv:2405.13763, its columns
    scaled to norm 1, instead of the matrix that is optimal for a fixed number of rounds, so that a run can be
    extended.

    Combines: min-separation cohorts of a separation of at least bands; models whose non-trainable weights are
    local or frozen.

    Example: clip_norm=1.0, noise_multiplier=1.0, bands=4, delta=1e-5

    Needs: cohort={'name': 'min-separation', 'separation': 4}
    """
    noise = banded_noise(noise_multiplier=noise_multiplier, clip_norm=clip_norm, bands=bands)
    # The clip bounds a client's share of the sum only if its weight is not its own number of examples.
    return fedavg(weighting="uniform", server_learning_rate=server_learning_rate)._replace(
        name="dp-banded",
        transforms=(clip(clip_norm=clip_norm), noise),
        privacy=PrivacyTarget(delta, epsilon),
    )
