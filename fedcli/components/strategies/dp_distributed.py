"""FedAvg with client-level differential privacy from noise that the clients add themselves."""

from __future__ import annotations

from fedcli.components.strategies.fedavg import fedavg
from fedcli.components.transforms import distributed_noise, finite, fixed_point
from fedcli.core.contracts import Strategy
from fedcli.core.sampling_scheme import PrivacyTarget


def dp_distributed(
    *,
    clip_norm: float,
    contributors: int,
    delta: float,
    noise_multiplier: float | None = None,
    epsilon: float | None = None,
    colluders: int | None = None,
    bits: int = 20,
    server_learning_rate: float = 1.0,
) -> Strategy:
    """FedAvg of integer updates; every client adds a share of discrete Gaussian noise to its own.

    Nobody has to be trusted with the exact sum, because only the sum of all shares has enough noise. A round with
    fewer updates than contributors is charged and releases nothing. One share protects little: against the server,
    epsilon holds only if the section `encryption` hides the single updates. With threshold and secagg it holds as
    long as their assumptions do, with shared-key unless a client colludes with the server. Without encryption,
    epsilon holds for readers of the models.

    Formula: w <- w + server_learning_rate * step / m * sum_k (round(clip(u_k) / step) + N_Z(0, s^2)), with step =
    clip_norm / 2^bits, s = noise_multiplier * 2^bits / sqrt(contributors - colluders), and m the planned size of
    a cohort.

    Args:
        clip_norm: largest L2 norm of one client's update, above 0.
        contributors: clients without whose shares nothing is released, at least 1; at most the cohort.
        delta: the delta at which epsilon is stated, in (0, 1); well below 1 over the number of clients.
        noise_multiplier: deviation of the guaranteed noise on the sum over clip norm, 0 or 0.001 to 1,000,000;
            null for the least that keeps the planned rounds within epsilon.
        epsilon: budget against the coordinator, above 0; the run stops before the round that would exceed it.
        colluders: contributors whose noise does not count, at least 0; because they may reveal it to the
            coordinator; null for as many as may collude under the assumption of the run's encryption, and 0
            without encryption.
        bits: of the integer grid, 8 to 24; 2^bits steps are one clip norm.
        server_learning_rate: the server's step along the noised mean, above 0.

    Reference: Kairouz et al. 2021, arXiv:2102.06387, the distributed discrete Gaussian mechanism.

    Deviations: no random rotation before rounding and no modulus after it.

    Combines: every encryption; uniform cohorts of a fixed size and full ones; models whose non-trainable weights
    are local or frozen. It has an integer grid of its own, in place of the section fixed_point.

    Example: clip_norm=1.0, contributors=2, noise_multiplier=1.0, delta=1e-5
    """
    noise = distributed_noise(
        noise_multiplier=noise_multiplier,
        clip_norm=clip_norm,
        bits=bits,
        contributors=contributors,
        colluders=colluders,
    )
    # Equal weights: a weight by example counts, which are not noised, would show them in the sum.
    return fedavg(weighting="uniform", server_learning_rate=server_learning_rate)._replace(
        name="dp-distributed",
        # `finite` first: a client that sends nothing would send no share of the noise either.
        transforms=(finite(), fixed_point(clip_norm=clip_norm, bits=bits), noise),
        privacy=PrivacyTarget(delta, epsilon, is_calibrated=noise_multiplier is not None),
    )
