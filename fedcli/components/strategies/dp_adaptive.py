"""FedAvg with client-level differential privacy and a clip norm that adapts."""

from __future__ import annotations

from fedcli.components.strategies.fedavg import fedavg
from fedcli.components.transforms import adaptive_clip
from fedcli.core.contracts import Strategy
from fedcli.core.sampling_scheme import PrivacyTarget


def dp_adaptive(
    *,
    delta: float,
    noise_multiplier: float | None = None,
    epsilon: float | None = None,
    initial_clip_norm: float = 0.1,
    target_quantile: float = 0.5,
    clip_learning_rate: float = 0.2,
    count_deviation: float | None = None,
    server_learning_rate: float = 1.0,
) -> Strategy:
    """FedAvg with central Gaussian noise, whose clip norm follows a quantile of the clients' update norms.

    No clip norm has to be tuned on the clients' data. The count from which the clip norm is learned is noised as
    well, and its cost is part of epsilon.

    Formula: w <- w + server_learning_rate * (sum_k u_k min(1, C / ||u_k||) + N(0, (z C)^2)) / m, with m the
    planned size of a cohort; then C <- C exp(-clip_learning_rate (b - target_quantile)), with b the noised share
    of clients whose update was within C.

    Args:
        delta: the delta at which epsilon is stated, in (0, 1); well below 1 over the number of clients.
        noise_multiplier: of the updates and the count together, 0 or 0.001 to 1,000,000; null for the least
            that keeps the planned rounds within epsilon.
        epsilon: budget, above 0; the run stops before the round that would exceed it.
        initial_clip_norm: clip norm of the first round, above 0; it moves by a factor of 1.1 a round at most.
        target_quantile: share of clients whose updates should stay unclipped, in [0, 1].
        clip_learning_rate: how fast the logarithm of the clip norm moves, at least 0.
        count_deviation: noise deviation on the count of unclipped clients, above half the noise multiplier; null
            for five times the noise multiplier.
        server_learning_rate: the server's step along the noised mean, above 0.

    Reference: Andrew et al. 2021, arXiv:1905.03871, Algorithm 1.

    Deviations: the share of unclipped clients minus the target is taken over the planned cohort, so that lost clients
    slow the clip norm down and do not drive it away; and the noise on the count follows
    the noise multiplier, where the paper takes a twentieth of the cohort.

    Combines: poisson (amplified), capped-poisson, uniform and full cohorts; models whose non-trainable weights
    are local or frozen; not with fixed_point.

    Example: noise_multiplier=1.0, delta=1e-5
    """
    part = adaptive_clip(
        noise_multiplier=noise_multiplier,
        count_deviation=count_deviation,
        initial_clip_norm=initial_clip_norm,
        target_quantile=target_quantile,
        learning_rate=clip_learning_rate,
    )
    # The clip bounds a client's share of the sum only if its weight is not its own number of examples.
    return fedavg(weighting="uniform", server_learning_rate=server_learning_rate)._replace(
        name="dp-adaptive",
        transforms=(part,),
        privacy=PrivacyTarget(delta, epsilon, is_calibrated=noise_multiplier is not None),
    )
