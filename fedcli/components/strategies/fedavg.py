"""FedAvg: the mean of the clients' updates, from which the other recipes start."""

from __future__ import annotations

from fedcli.components.aggregators import mean as mean_aggregator
from fedcli.components.clients import sgd as local_sgd
from fedcli.components.server_optimizers import sgd
from fedcli.core.contracts import Strategy
from fedcli.core.errors import require_positive
from fedcli.core.types import Weighting


def fedavg(*, weighting: Weighting = "examples", server_learning_rate: float = 1.0) -> Strategy:
    """Federated averaging: the server moves along the mean of the clients' updates.

    Formula: w <- w + server_learning_rate * sum_k n_k u_k / sum_k n_k, over the clients k of the cohort, with u_k
    the change that local training made to w and n_k the client's number of training examples. With weighting:
    uniform, every n_k is 1.

    Args:
        weighting: whether clients count by their number of training examples (`examples`) or all the same
            (`uniform`).
        server_learning_rate: the server's step along the mean update, above 0.

    Reference: McMahan et al. 2017, arXiv:1602.05629, Algorithm 1.

    Combines: any cohort, any model.
    """
    # The optimizer would refuse it too, but its error would name a key that the config does not have.
    require_positive("server_learning_rate", server_learning_rate)
    server = sgd(learning_rate=server_learning_rate)
    return Strategy("fedavg", local_sgd(), mean_aggregator(), server, weighting=weighting)
