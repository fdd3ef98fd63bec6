"""One full-batch gradient a client."""

from __future__ import annotations

from fedcli.components.clients.full_gradient import full_gradient
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy


def fedsgd(*, server_learning_rate: float = 0.1) -> Strategy:
    """Every client sends the gradient of its whole training part; the server makes one step of descent.

    With all clients in the cohort this is centralised gradient descent. `client.epochs`, `client.steps`,
    `client.optimizer`, `client.schedule` and `client.clip_gradient_norm` have no effect, since no client takes a
    step of its own; `client.batch_size` only bounds the memory of one gradient.

    Formula: w <- w - server_learning_rate * sum_k n_k g_k / sum_k n_k, with g_k the gradient of the mean loss
    over the n_k training examples of client k.

    Args:
        server_learning_rate: step of the descent, above 0.

    Reference: McMahan et al. 2017, arXiv:1602.05629, Section 2.

    Combines: any cohort; models without BatchNorm, whose statistics depend on the batch. Of the client's
    settings only batch_size has an effect, on memory.
    """
    return fedavg(server_learning_rate=server_learning_rate)._replace(name="fedsgd", trainer=full_gradient())
