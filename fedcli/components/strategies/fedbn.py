"""FedBN: BatchNorm stays with the clients."""

from __future__ import annotations

from fedcli.components.clients.personal_layers import personal_layers
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy

# By the kind of layer, since the names of the layers are the model's own.
_BATCH_NORM = "BatchNormalization/*"


def fedbn() -> Strategy:
    """BatchNorm's weights and statistics stay with each client; the rest is averaged.

    `test/` measures the global model with BatchNorm as it was at first; look at `validation/`.

    Formula: w <- w + sum_k n_k u_k / sum_k n_k for the shared weights; every client keeps the weights of its
    BatchNormalization layers, and what it learned of them.

    Reference: Li et al. 2021, arXiv:2102.07623, Algorithm 1.

    Deviations: clients are weighted by their examples, where the paper weights them equally.

    Combines: any cohort; models with BatchNormalization and model.non_trainable: local.

    Needs: model={'name': 'mlp', 'batch_norm': True, 'non_trainable': 'local'}
    """
    return fedavg()._replace(name="fedbn", trainer=personal_layers(personal=_BATCH_NORM))
