"""APFL: a mixture of the global model and one of the client's own."""

from __future__ import annotations

from fedcli.components.clients.apfl import apfl as local_apfl
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy


def apfl(*, alpha: float = 0.5, adaptive: bool = True) -> Strategy:
    """Every client's model is a mixture of the global one and its own, with a weight that adapts.

    Formula: v_k <- v_k - learning_rate * alpha * g(alpha v_k + (1 - alpha) w); the server averages the clients'
    w; with adaptive, alpha <- alpha - learning_rate * <v_k - w, g(alpha v_k + (1 - alpha) w)>.

    Args:
        alpha: weight of the client's own model at first, in [0, 1]; 0 without adaptation is FedAvg.
        adaptive: whether the weight follows its gradient.

    Reference: Deng et al. 2020, arXiv:2003.13461, Algorithm 1; clients count the same, as in the paper.

    Deviations: the weight follows its gradient once a participation, as in the authors' code, and stays within
    [0, 1].

    Combines: any cohort, models without BatchNorm; with adaptive, clients with sgd without momentum. Local
    training costs twice as much.
    """
    return fedavg(weighting="uniform")._replace(
        name="apfl", trainer=local_apfl(alpha=alpha, adaptive=adaptive)
    )
