"""FedAvg with client-level differential privacy that needs no sampling: noise correlated over rounds."""

from __future__ import annotations

from fedcli.components.strategies.fedavg import mean
from fedcli.components.transforms import banded_noise, clip, tree_noise
from fedcli.core.contracts import Strategy, Transform
from fedcli.core.privacy_events import PrivacyTarget


def dp_ftrl(
    *,
    clip_norm: float,
    noise_multiplier: float,
    delta: float,
    restart_every: int | None = None,
    epsilon: float | None = None,
    server_learning_rate: float = 1.0,
) -> Strategy:
    """FedAvg of clipped updates whose running sum is released by a binary tree of noised partial sums.

    Args:
        clip_norm: largest L2 norm of one client's update.
        noise_multiplier: noise standard deviation of one node of the tree over clip norm.
        delta: the delta at which epsilon is stated, in (0, 1); well below 1 over the number of clients.
        restart_every: rounds after which a new tree begins, such as those in which every client has had its turn
            once; one tree for the run if it is not given.
        epsilon: budget; the run stops before the round that would pass it.
        server_learning_rate: the server's step along the noised mean.

    Reference: Kairouz et al. 2021, arXiv:2103.00039, Algorithm 1.

    Deviations: noise on the difference of two running sums moves the model from round to round, which for the
    paper's FTRL without momentum comes to the same models; nodes are not weighted as by Honaker; trees are not
    completed before a restart. Epsilon bounds a client's turns below the nodes by how often the cohort lets it
    take part.

    Combines: full and min-separation cohorts without a rate; models whose non-trainable weights are local or frozen.

    Example: clip_norm=1.0, noise_multiplier=4.0, delta=1e-5
    """
    noise = tree_noise(noise_multiplier=noise_multiplier, clip_norm=clip_norm, restart_every=restart_every)
    target = PrivacyTarget(delta, epsilon)
    return _of(noise, clip_norm, target, server_learning_rate)._replace(name="dp-ftrl")


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

    Args:
        clip_norm: largest L2 norm of one client's update.
        noise_multiplier: standard deviation of the uncorrelated noise over clip norm.
        bands: rounds over which noise is correlated; 1 is independent noise.
        delta: the delta at which epsilon is stated, in (0, 1); well below 1 over the number of clients.
        epsilon: budget; the run stops before the round that would pass it.
        server_learning_rate: the server's step along the noised mean.

    Reference: Choquette-Choo et al. 2023, arXiv:2306.08153.

    Deviations: the matrix is the banded square root of Kalinin and Lampert 2024, arXiv:2405.13763, its columns
    scaled to norm 1, and not the numerically optimal one for a number of rounds: so a run may go on.

    Combines: min-separation cohorts of a separation of at least bands; models whose non-trainable weights are
    local or frozen.

    Example: clip_norm=1.0, noise_multiplier=1.0, bands=4, delta=1e-5
    """
    noise = banded_noise(noise_multiplier=noise_multiplier, clip_norm=clip_norm, bands=bands)
    target = PrivacyTarget(delta, epsilon)
    return _of(noise, clip_norm, target, server_learning_rate)._replace(name="dp-banded")


def _of(noise: Transform, clip_norm: float, target: PrivacyTarget, server_learning_rate: float) -> Strategy:
    return mean(server_learning_rate=server_learning_rate)._replace(
        transforms=(clip(clip_norm=clip_norm), noise), privacy=target
    )
