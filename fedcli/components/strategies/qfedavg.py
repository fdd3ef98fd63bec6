"""q-FedAvg: a fairer distribution of the loss over clients."""

from __future__ import annotations

from fedcli.components.clients.qfedavg import qfedavg as local_qfedavg
from fedcli.components.server_optimizers import qfedavg as qfedavg_server
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy


def qfedavg(*, q: float = 1.0) -> Strategy:
    """Clients count more the worse the global model is for them, so that accuracy is spread more evenly.

    Formula: w <- w + mean_k(F_k^q u_k) / mean_k(q F_k^(q-1) ||u_k||^2 / learning_rate + F_k^q), with F_k the
    global model's loss on the examples of client k.

    Args:
        q: how much fairness counts, at least 0; 0 is the plain mean.

    Reference: Li et al. 2020, arXiv:1905.10497, Algorithm 2, with 1 over the clients' learning rate as its L.

    Deviations: the cohort says how clients are drawn, where the paper draws them by their examples.

    Combines: any cohort, any model; clients with sgd without momentum. Costs one more forward pass for every step.
    """
    # Equal weights, because clients are weighted by their losses already.
    return fedavg(weighting="uniform")._replace(
        name="qfedavg", trainer=local_qfedavg(q=q), server=qfedavg_server()
    )
