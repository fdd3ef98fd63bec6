"""Strategies some of whose layers stay with the clients: FedBN, FedPer, FedRep."""

from __future__ import annotations

from fedcli.components.clients.personal_layers import in_turn, together
from fedcli.components.strategies.fedavg import weighted
from fedcli.core.contracts import Strategy

_BATCH_NORM = "BatchNormalization/*"


def fedbn() -> Strategy:
    """BatchNorm's weights and statistics stay with each client; the rest is averaged.

    `test/` measures the global model with BatchNorm as it was at first; look at `validation/`.

    Reference: Li et al. 2021, arXiv:2102.07623, Algorithm 1.

    Deviations: clients are weighted by their examples, where the paper weights them equally.

    Combines: any cohort; models with BatchNormalization and model.non_trainable: local.
    """
    trainer = together(personal=_BATCH_NORM)._replace(needs_local_statistics=True)
    return weighted()._replace(name="fedbn", trainer=trainer)


def fedper(*, personal: str) -> Strategy:
    """The layers that a pattern names, usually the last, stay with each client; all are trained together.

    Args:
        personal: glob pattern over the weights' names, such as `dense_2/*`.

    `test/` measures the global model with the personal layers' first values; look at `validation/`.

    Reference: Arivazhagan et al. 2019, arXiv:1912.00818.

    Combines: any cohort, any model.

    Example: personal='dense_1/*'
    """
    return weighted()._replace(name="fedper", trainer=together(personal=personal))


def fedrep(*, personal: str, head_share: float = 0.5) -> Strategy:
    """The layers that a pattern names stay with each client and are trained first, then the shared ones.

    Args:
        personal: glob pattern over the weights' names, such as `dense_2/*`.
        head_share: share of the local steps that train the personal layers, in (0, 1).

    `test/` measures the global model with the personal layers' first values; look at `validation/`.

    Reference: Collins et al. 2021, arXiv:2102.07078, Algorithm 1.

    Deviations: the personal layers are given a share of the local steps, where the paper gives them a number of
    steps or epochs of their own; a client with a single batch trains its shared layers only. Clients are weighted
    by their examples, where the algorithm weights them equally.

    Combines: any cohort, any model; clients with sgd without momentum.

    Example: personal='dense_1/*'
    """
    trainer = in_turn(personal=personal, head_share=head_share)
    return weighted()._replace(name="fedrep", trainer=trainer)
