"""FedAvg whose clients protect single examples by DP-SGD."""

from __future__ import annotations

from fedcli.components.clients.dp_sgd import dp_sgd as local_dp_sgd
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy
from fedcli.core.sampling_scheme import PrivacyTarget


def dp_sgd(
    *,
    clip_norm: float,
    noise_multiplier: float,
    rate: float,
    steps: int,
    expected_batch_size: float,
    delta: float,
    epsilon: float | None = None,
    server_learning_rate: float = 1.0,
) -> Strategy:
    """FedAvg whose clients train by DP-SGD: epsilon protects one example of a client, and not the client.

    Epsilon holds against the server too, because the noise is added before an update leaves its client. The server
    still sees the client's number of examples and its training metrics. Epsilon composes over the rounds in which one
    client can take part: all of them, unless the cohort is min-separation. Gradients are rounded
    to a grid, and the exact sampler draws the noise in whole steps of it.

    Formula: every step of a client follows (sum_i g_i min(1, C / ||g_i||) + N(0, (z C)^2)) / expected_batch_size
    in place of a gradient, over the examples i that their coins put into the batch, with C = clip_norm and z =
    noise_multiplier; the server averages as in fedavg.

    Args:
        clip_norm: largest L2 norm of one example's gradient, above 0.
        noise_multiplier: noise standard deviation on the sum of a batch's gradients over clip norm, 0 or 0.001
            to 1,000,000.
        rate: probability that an example is in a batch, by its own coin, in (0, 1].
        steps: batches of one client in a round, 1 to 10,000.
        expected_batch_size: what the sum is divided by, above 0; such as rate times a typical number of examples.
        delta: the delta at which epsilon is stated, in (0, 1); well below 1 over a client's number of examples.
        epsilon: budget, above 0; the run stops before the round that would exceed it.
        server_learning_rate: the server's step along the mean update, above 0.

    Reference: Abadi et al. 2016, arXiv:1607.00133, Algorithm 1, inside the clients of McMahan et al. 2017,
    arXiv:1602.05629.

    Deviations: the divisor is a constant of the config and not rate times a client's number of examples, which would
    reveal that number. Epsilon comes from privacy-loss distributions in place of the moments accountant.

    Combines: any cohort; any client optimizer and schedule, which see noised gradients only; models without
    BatchNorm. client.epochs, client.steps and client.batch_size have no effect. The gradients of all examples of
    a batch are in memory at the same time.

    Example: clip_norm=1.0, noise_multiplier=1.0, rate=0.1, steps=10, expected_batch_size=10, delta=1e-5
    """
    trainer = local_dp_sgd(
        clip_norm=clip_norm,
        noise_multiplier=noise_multiplier,
        rate=rate,
        steps=steps,
        expected_batch_size=expected_batch_size,
    )
    # Equal weights: a weight by example counts, which are not noised, would show them in the sum.
    return fedavg(weighting="uniform", server_learning_rate=server_learning_rate)._replace(
        name="dp-sgd", trainer=trainer, privacy=PrivacyTarget(delta, epsilon)
    )
