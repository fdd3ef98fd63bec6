"""FedDyn: dynamic regularisation."""

from __future__ import annotations

from fedcli.components.clients.feddyn import feddyn as local_feddyn
from fedcli.components.server_optimizers import feddyn as feddyn_server
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy


def feddyn(*, alpha: float = 0.1) -> Strategy:
    """A regulariser that changes over the rounds aligns the clients' minima with the global one.

    A client that does not take part keeps its dual vector.

    Formula: client k trains on F_k(v) - <h_k, v> + alpha / 2 * ||v - w||^2, then h_k <- h_k - alpha u_k; the
    server sets h <- h - alpha |S| / N * mean_k u_k and w <- w + mean_k u_k - h / alpha, for a cohort of |S| of N
    clients.

    Args:
        alpha: strength of the regulariser, at least 0; 0 is the plain mean to the bit.

    Reference: Acar et al. 2021, arXiv:2111.04263, Algorithm 1.

    Deviations: local training approaches the minimum of a client's regularised loss, where the algorithm assumes the
    exact minimum.

    Combines: any cohort, any model.
    """
    # Equal weights, because the server's dual vector is the plain mean of those of the clients.
    return fedavg(weighting="uniform")._replace(
        name="feddyn", trainer=local_feddyn(alpha=alpha), server=feddyn_server(alpha=alpha)
    )
