"""FedAvg with differential privacy that holds against the server too."""

from __future__ import annotations

from fedcli.components.strategies.fedavg import fedavg
from fedcli.components.transforms import clip, finite, local_noise
from fedcli.core.contracts import Strategy
from fedcli.core.sampling_scheme import PrivacyTarget


def dp_local(
    *,
    clip_norm: float,
    delta: float,
    noise_multiplier: float | None = None,
    epsilon: float | None = None,
    server_learning_rate: float = 1.0,
) -> Strategy:
    """FedAvg of clipped updates to which each client has added Gaussian noise of its own.

    This protects a client from the server as well, and costs more noise: the mean over n clients has sqrt(n) times
    the noise that dp-clipped adds. Epsilon is that of a client that takes part in every round.

    Formula: w <- w + server_learning_rate / m * sum_k (u_k min(1, C / ||u_k||) + N(0, (z C)^2)), with C =
    clip_norm, z = noise_multiplier, m the planned size of a cohort, and noise of its own for every client.

    Args:
        clip_norm: largest L2 norm of one client's update before its noise, above 0.
        delta: the delta at which epsilon is stated, in (0, 1).
        noise_multiplier: standard deviation of one client's noise over clip norm, 0 or 0.001 to 1,000,000; null
            for the least that keeps the planned rounds within epsilon.
        epsilon: budget, above 0; the run stops before the round that would exceed it.
        server_learning_rate: the server's step along the mean, above 0.

    Reference: Dwork et al. 2006, the Gaussian mechanism; its curve by Balle and Wang 2018, arXiv:1805.06530.

    Combines: every cohort, but no cohort amplifies; models whose non-trainable weights are local or frozen; not
    with fixed_point.

    Example: clip_norm=1.0, noise_multiplier=4.0, delta=1e-5
    """
    # Equal weights: a weight by example counts, which are not noised, would show them in the sum.
    return fedavg(weighting="uniform", server_learning_rate=server_learning_rate)._replace(
        name="dp-local",
        transforms=(
            # First, since `clip` refuses NaN, and a client whose update is missing would be noticed.
            finite(),
            clip(clip_norm=clip_norm),
            local_noise(noise_multiplier=noise_multiplier, clip_norm=clip_norm),
        ),
        privacy=PrivacyTarget(delta, epsilon, is_calibrated=noise_multiplier is not None),
    )
