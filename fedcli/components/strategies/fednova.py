"""FedNova: normalised averaging."""

from __future__ import annotations

from fedcli.components.clients.fednova import fednova as local_fednova
from fedcli.components.server_optimizers import fednova as fednova_server
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy
from fedcli.core.errors import require_positive


def fednova(*, server_learning_rate: float = 1.0) -> Strategy:
    """Updates are divided by how far each client went, so that clients with more steps do not bias the optimum.

    The unfinished work of stragglers is used.

    Formula: w <- w + server_learning_rate * (sum_k p_k a_k) * sum_k p_k u_k / a_k, with p_k the client's share of
    the cohort's examples and a_k the sum of the weights that its gradients had in its update: its number of
    steps, for sgd without momentum.

    Args:
        server_learning_rate: the server's step, above 0.

    Reference: Wang et al. 2020, arXiv:2007.07481, Equation 9.

    Deviations: clients are weighted by their share of the cohort's examples, where the paper has all clients in
    every round.

    Combines: any cohort, any model; clients with sgd, with or without momentum.
    """
    require_positive("server_learning_rate", server_learning_rate)
    server = fednova_server(learning_rate=server_learning_rate)
    # Partial work is kept: an update is divided by its length, so that a short one does not bias the mean.
    return fedavg()._replace(name="fednova", trainer=local_fednova(), server=server, keeps_partial_work=True)
