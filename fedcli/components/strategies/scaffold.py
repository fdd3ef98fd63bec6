"""SCAFFOLD: control variates against client drift."""

from __future__ import annotations

from fedcli.components.clients.scaffold import scaffold as local_scaffold
from fedcli.components.server_optimizers import scaffold as scaffold_server
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy
from fedcli.core.errors import require_positive


def scaffold(*, server_learning_rate: float = 1.0) -> Strategy:
    """Control variates, one at the server and one at each client, correct the drift of local training.

    A client that does not take part keeps its control variate; the server's moves by the share of the
    population whose updates were accepted. Clients count the same, as in the paper.

    Formula: a client steps along g - c_k + c, then c_k <- c_k - c - u_k / (K * learning_rate); the server sets w
    <- w + server_learning_rate * mean_k u_k and c <- c + |S| / N * mean_k (change of c_k), with K local steps, a
    cohort of |S| and N clients.

    Args:
        server_learning_rate: the server's step along the mean update, above 0.

    Reference: Karimireddy et al. 2020, arXiv:1910.06378, Algorithm 1 with option II.

    Deviations: the number of local steps K is each client's own, where the paper's clients all take as many.

    Combines: any cohort, any model; clients with sgd without momentum; fixed_point with an extra_clip_norm for the
    control variates (a client keeps its own unclipped). Updates are twice the model's size.
    """
    require_positive("server_learning_rate", server_learning_rate)
    server = scaffold_server(learning_rate=server_learning_rate)
    # Equal weights, because the server's control variate is the plain mean of those of the clients.
    return fedavg(weighting="uniform")._replace(name="scaffold", trainer=local_scaffold(), server=server)
