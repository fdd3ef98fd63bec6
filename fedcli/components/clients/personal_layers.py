"""Local training of a model some of whose layers stay with the client."""

from __future__ import annotations

from fedcli.components.clients.sgd import descend
from fedcli.core.contracts import TrainerSpec
from fedcli.core.factories import component


@component
def personal_layers(*, personal: str) -> TrainerSpec:
    """All layers are trained at once; those that match `personal` are kept and never sent.

    Args:
        personal: glob pattern over the weights' names (`"dense_1/*"`) or their layers' kinds
            (`"BatchNormalization/*"`).

    Reference: Arivazhagan et al. 2019, arXiv:1912.00818 (FedPer); Li et al. 2021, arXiv:2102.07623 (FedBN).

    Example: personal='dense_1/*'
    """
    # A BatchNorm layer that stays with a client is of use only with that client's own moving averages.
    is_batch_norm = personal.split("/")[0] == "BatchNormalization"
    return TrainerSpec("personal-layers", descend, personal=personal, needs_local_statistics=is_batch_norm)
