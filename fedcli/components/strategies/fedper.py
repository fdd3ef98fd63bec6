"""FedPer: the last layers stay with the clients."""

from __future__ import annotations

from fedcli.components.clients.personal_layers import personal_layers
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy


def fedper(*, personal: str) -> Strategy:
    """The layers that a pattern names, usually the last, stay with each client; all are trained together.

    Formula: w <- w + sum_k n_k u_k / sum_k n_k for the shared weights; every client keeps the weights whose names
    match `personal`, and what it learned of them.

    Args:
        personal: glob pattern over the weights' names, such as `dense_2/*`.

    `test/` measures the global model with the personal layers' first values; look at `validation/`.

    Reference: Arivazhagan et al. 2019, arXiv:1912.00818.

    Combines: any cohort, any model.

    Example: personal='dense_1/*'
    """
    return fedavg()._replace(name="fedper", trainer=personal_layers(personal=personal))
