"""FedProx: FedAvg whose clients stay near the global model."""

from __future__ import annotations

from fedcli.components.clients.fedprox import fedprox as local_fedprox
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy


def fedprox(*, mu: float = 0.01) -> Strategy:
    """FedAvg with a proximal term in the clients' loss.

    The unfinished work of stragglers is used.

    Formula: client k trains on F_k(v) + mu / 2 * ||v - w||^2, which adds mu (v - w) to the gradient; the server
    averages as in fedavg.

    Args:
        mu: strength of the proximal term, at least 0; 0 is FedAvg to the bit.

    Reference: Li et al. 2020, arXiv:1812.06127, Algorithm 2.

    Deviations: clients are weighted by their examples, as in the paper's experiments; its algorithm draws them by
    their examples and weights them equally. They train as long as the config says instead of up to a given
    inexactness.

    Combines: any cohort, any model.
    """
    # Partial work is kept, because dropping stragglers is what the paper improves on.
    return fedavg()._replace(name="fedprox", trainer=local_fedprox(mu=mu), keeps_partial_work=True)
