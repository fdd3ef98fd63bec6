"""FedAvg with equal weights."""

from __future__ import annotations

from fedcli.components.aggregators import mean as mean_aggregator
from fedcli.components.clients.sgd import sgd as local_sgd
from fedcli.components.server_optimizers import sgd
from fedcli.core.contracts import Strategy
from fedcli.core.errors import require_positive


def mean(*, server_learning_rate: float = 1.0) -> Strategy:
    """FedAvg with every client counting the same.

    Args:
        server_learning_rate: the server's step along the mean update.

    Reference: McMahan et al. 2017, arXiv:1602.05629.

    Deviations: the paper weights clients by their examples, as weighted does.

    Combines: any cohort, any model.
    """
    # The optimizer would refuse it as well, but by a name that the file does not have.
    require_positive("server_learning_rate", server_learning_rate)
    return Strategy("mean", local_sgd(), mean_aggregator(), sgd(learning_rate=server_learning_rate))
