"""Ditto: a model of its own for every client, held near the global one."""

from __future__ import annotations

from fedcli.components.clients.ditto import ditto as local_ditto
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy


def ditto(*, regularization: float = 0.1) -> Strategy:
    """FedAvg, and beside it a model of its own for every client, pulled towards the global one.

    Formula: v_k <- v_k - learning_rate * (g(v_k) + regularization * (v_k - w)) for client k's own model v_k; w
    moves as in fedavg.

    Args:
        regularization: strength of the pull (lambda in the paper), at least 0.

    Reference: Li et al. 2021, arXiv:2012.04221, Algorithm 1.

    Deviations: a client's own model is trained for as many steps as the global one, on the same batches; the
    paper leaves the number free.

    Combines: any cohort, models without BatchNorm. Local training costs twice as much.
    """
    return fedavg()._replace(name="ditto", trainer=local_ditto(regularization=regularization))
