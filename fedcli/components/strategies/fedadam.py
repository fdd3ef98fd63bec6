"""FedAvg with Adam on the server."""

from __future__ import annotations

from fedcli.components.server_optimizers import adam
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy
from fedcli.core.errors import require_positive


def fedadam(
    *,
    server_learning_rate: float = 0.01,
    beta_1: float = 0.9,
    beta_2: float = 0.99,
    tau: float = 1e-3,
) -> Strategy:
    """FedAvg with Adam on the server.

    Formula: m <- beta_1 m + (1 - beta_1) u; v <- beta_2 v + (1 - beta_2) u^2; w <- w + server_learning_rate * m /
    (sqrt(v) + tau), with u = sum_k n_k u_k / sum_k n_k; v starts at tau^2.

    Args:
        server_learning_rate: the server's step, above 0.
        beta_1: decay of the first moment, in [0, 1).
        beta_2: decay of the second moment, in [0, 1).
        tau: degree of adaptivity, above 0.

    Reference: Reddi et al. 2021, arXiv:2003.00295, Algorithm 2.

    Deviations: clients are weighted by their examples, as in the paper's experiments; its algorithm weights
    them equally.

    Combines: any cohort, any model.
    """
    # The optimizer would refuse it as well, but by a name that the file does not have.
    require_positive("server_learning_rate", server_learning_rate)
    server = adam(learning_rate=server_learning_rate, beta_1=beta_1, beta_2=beta_2, tau=tau)
    return fedavg()._replace(name="fedadam", server=server)
