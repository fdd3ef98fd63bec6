"""FedAvg with client-level differential privacy."""

from __future__ import annotations

from fedcli.components.strategies.fedavg import fedavg
from fedcli.components.transforms import clip, gaussian_noise
from fedcli.core.contracts import Strategy
from fedcli.core.sampling_scheme import PrivacyTarget


def dp_clipped(
    *,
    clip_norm: float,
    delta: float,
    noise_multiplier: float | None = None,
    epsilon: float | None = None,
    server_learning_rate: float = 1.0,
) -> Strategy:
    """FedAvg of clipped updates with central Gaussian noise on their sum; epsilon after every round.

    The sum is divided by the planned size of a cohort, never by the realised one. An empty cohort releases the noise
    as well.

    Formula: w <- w + server_learning_rate * (sum_k u_k min(1, C / ||u_k||) + N(0, (z C)^2)) / m, with C =
    clip_norm, z = noise_multiplier and m the planned size of a cohort.

    Args:
        clip_norm: largest L2 norm of one client's update, above 0.
        delta: the delta at which epsilon is stated, in (0, 1); well below 1 over the number of clients.
        noise_multiplier: noise standard deviation over clip norm, 0 or 0.001 to 1,000,000; null for the least
            that keeps the planned rounds within epsilon.
        epsilon: budget, above 0; the run stops before the round that would exceed it.
        server_learning_rate: the server's step along the noised mean, above 0.

    Reference: McMahan et al. 2018, arXiv:1710.06963, Algorithm 1.

    Deviations: clients count the same, where the paper weights them by their examples up to a cap. Epsilon comes
    from privacy-loss distributions, or from Renyi divergences for cohorts of a fixed size, in place of the
    moments accountant.

    Combines: poisson (amplified; the default), capped-poisson, uniform (fixed size, its own accounting) and full
    cohorts; models whose non-trainable weights are local or frozen; fixed_point, which may weight clients.

    Example: clip_norm=1.0, noise_multiplier=1.0, delta=1e-5
    """
    # The clip bounds a client's share of the sum only if its weight is not its own number of examples.
    return fedavg(weighting="uniform", server_learning_rate=server_learning_rate)._replace(
        name="dp-clipped",
        transforms=(
            # Both have the same norm: the noise is worth its epsilon only for what the clip lets through.
            clip(clip_norm=clip_norm),
            gaussian_noise(noise_multiplier=noise_multiplier, clip_norm=clip_norm),
        ),
        privacy=PrivacyTarget(delta, epsilon, is_calibrated=noise_multiplier is not None),
    )
