"""FedAvg with equal weights."""

from __future__ import annotations

from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy


def mean(*, server_learning_rate: float = 1.0) -> Strategy:
    """FedAvg with every client counting the same.

    Formula: w <- w + server_learning_rate * mean_k u_k, with u_k the change that client k's local training made
    to w.

    Args:
        server_learning_rate: the server's step along the mean update, above 0.

    Reference: McMahan et al. 2017, arXiv:1602.05629.

    Deviations: the paper weights clients by their examples, as fedavg and weighted do.

    Combines: any cohort, any model.
    """
    return fedavg(weighting="uniform", server_learning_rate=server_learning_rate)._replace(name="mean")
