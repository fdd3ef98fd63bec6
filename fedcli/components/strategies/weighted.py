"""FedAvg with weights by example count."""

from __future__ import annotations

from fedcli.components.strategies.mean import mean
from fedcli.core.contracts import Strategy


def weighted(*, server_learning_rate: float = 1.0) -> Strategy:
    """FedAvg with every client counting by its number of training examples.

    Args:
        server_learning_rate: the server's step along the mean update.

    Reference: McMahan et al. 2017, arXiv:1602.05629, Algorithm 1.

    Combines: any cohort, any model.
    """
    return mean(server_learning_rate=server_learning_rate)._replace(name="weighted", weighting="examples")
