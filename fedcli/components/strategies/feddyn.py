"""FedDyn: dynamic regularisation."""

from __future__ import annotations

from fedcli.components.clients.feddyn import feddyn as local_feddyn
from fedcli.components.server_optimizers import feddyn as feddyn_server
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy


def feddyn(*, alpha: float = 0.1) -> Strategy:
    """A regulariser that changes over the rounds aligns the clients' minima with the global one.

    A client that does not take part keeps its dual vector.

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
