"""FedAvg with client-level differential privacy."""

from __future__ import annotations

from fedcli.core.errors import ConfigError, require_positive
from fedcli.core.privacy import PrivacyTarget
from fedcli.core.types import Strategy
from fedcli.strategies.fedavg import mean
from fedcli.transforms import clip, gaussian_noise


def dp_clipped(
    *,
    clip_norm: float,
    noise_multiplier: float,
    delta: float,
    epsilon: float | None = None,
    server_learning_rate: float = 1.0,
) -> Strategy:
    """FedAvg of clipped updates with central Gaussian noise on their sum; epsilon after every round.

    The sum is divided by the planned size of a cohort, never by the realised one, and an empty cohort
    releases the noise all the same.

    Args:
        clip_norm: largest L2 norm of one client's update.
        noise_multiplier: noise standard deviation over clip norm.
        delta: the delta at which epsilon is stated, in (0, 1); well below 1 over the number of clients.
        epsilon: budget; the run stops before the round that would pass it.
        server_learning_rate: the server's step along the noised mean.

    Reference: McMahan et al. 2018, arXiv:1710.06963, Algorithm 1.

    Deviations: clients count the same, where the paper weights them by their examples up to a cap. Epsilon comes
    from privacy-loss distributions, or from Renyi divergences for cohorts of a fixed size, in place of the
    moments accountant.

    Combines: poisson (amplified), uniform (fixed size, its own accounting) and full cohorts; models whose
    non-trainable weights are local or frozen.

    Example: clip_norm=1.0, noise_multiplier=1.0, delta=1e-5
    """
    if not 0 < delta < 1:
        raise ConfigError(f"delta lies in (0, 1); received {delta}.", key="delta")
    if epsilon is not None:
        require_positive("epsilon", epsilon)
    return mean(server_learning_rate=server_learning_rate)._replace(
        name="dp-clipped",
        transforms=(
            clip(clip_norm=clip_norm),
            gaussian_noise(noise_multiplier=noise_multiplier, clip_norm=clip_norm),
        ),
        privacy=PrivacyTarget(delta, epsilon),
    )
