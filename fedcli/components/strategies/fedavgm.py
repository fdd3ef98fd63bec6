"""FedAvg with momentum on the server."""

from __future__ import annotations

from fedcli.components.server_optimizers import momentum
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy
from fedcli.core.errors import require_positive


def fedavgm(*, server_learning_rate: float = 1.0, beta: float = 0.9) -> Strategy:
    """FedAvg with heavy-ball momentum on the server.

    Formula: v <- beta v + u; w <- w + server_learning_rate * v, with u = sum_k n_k u_k / sum_k n_k.

    Args:
        server_learning_rate: the server's step along its velocity, above 0.
        beta: share of the velocity that is kept, in [0, 1).

    Reference: Hsu et al. 2019, arXiv:1909.06335.

    Combines: any cohort, any model.
    """
    # The optimizer would refuse it as well, but by a name that the file does not have.
    require_positive("server_learning_rate", server_learning_rate)
    server = momentum(learning_rate=server_learning_rate, beta=beta)
    return fedavg()._replace(name="fedavgm", server=server)
