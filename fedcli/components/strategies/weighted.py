"""FedAvg weighted by numbers of examples: the same as fedavg with its defaults."""

from __future__ import annotations

from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy


def weighted(*, server_learning_rate: float = 1.0) -> Strategy:
    """FedAvg with every client counting by its number of training examples.

    Formula: w <- w + server_learning_rate * sum_k n_k u_k / sum_k n_k, with u_k the change that client k's local
    training made to w and n_k its number of training examples.

    Args:
        server_learning_rate: the server's step along the mean update, above 0.

    Reference: McMahan et al. 2017, arXiv:1602.05629, Algorithm 1.

    Combines: any cohort, any model.
    """
    return fedavg(server_learning_rate=server_learning_rate)._replace(name="weighted")
