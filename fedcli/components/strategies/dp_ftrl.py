"""FedAvg with client-level differential privacy that needs no sampling: a tree of noised sums."""

from __future__ import annotations

from fedcli.components.strategies.fedavg import fedavg
from fedcli.components.transforms import clip, tree_noise
from fedcli.core.contracts import Strategy
from fedcli.core.sampling_scheme import PrivacyTarget


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

    Formula: w <- w + server_learning_rate * (sum_k u_k min(1, C / ||u_k||) + N(t) - N(t - 1)) / m, with C =
    clip_norm, m the planned size of a cohort, and N(t) the sum of the nodes of a binary tree that cover the
    rounds 1 to t, each of which is N(0, (noise_multiplier C)^2).

    Args:
        clip_norm: largest L2 norm of one client's update, above 0.
        noise_multiplier: noise standard deviation of one node of the tree over clip norm, 0 or 0.001 to 1,000,000.
        delta: the delta at which epsilon is stated, in (0, 1); well below 1 over the number of clients.
        restart_every: rounds after which a new tree begins, at least 1; such as those in which every client has
            had its turn once; one tree for the run if it is not given.
        epsilon: budget, above 0; the run stops before the round that would exceed it.
        server_learning_rate: the server's step along the noised mean, above 0.

    Reference: Kairouz et al. 2021, arXiv:2103.00039, Algorithm 1.

    Deviations: the model moves by the noised difference of two running sums, which gives the same models as the
    paper's FTRL without momentum; nodes are not weighted as by Honaker; trees are not completed before a restart.
    Epsilon bounds a client's turns below the nodes by how often the cohort lets it take part.

    Combines: full and min-separation cohorts without a rate; models whose non-trainable weights are local or frozen.

    Example: clip_norm=1.0, noise_multiplier=4.0, delta=1e-5
    """
    noise = tree_noise(noise_multiplier=noise_multiplier, clip_norm=clip_norm, restart_every=restart_every)
    # The clip bounds a client's share of the sum only if its weight is not its own number of examples.
    return fedavg(weighting="uniform", server_learning_rate=server_learning_rate)._replace(
        name="dp-ftrl",
        transforms=(clip(clip_norm=clip_norm), noise),
        privacy=PrivacyTarget(delta, epsilon),
    )
