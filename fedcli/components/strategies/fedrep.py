"""FedRep: personal layers and shared ones are trained in turn."""

from __future__ import annotations

from fedcli.components.clients.personal_layers_in_turn import personal_layers_in_turn
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy


def fedrep(*, personal: str, head_share: float = 0.5) -> Strategy:
    """The layers that a pattern names stay with each client and are trained first, then the shared ones.

    Formula: a client trains the weights that match `personal` for head_share of its steps with the others fixed,
    then the others with those fixed; the server sets w <- w + sum_k n_k u_k / sum_k n_k for the others.

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
    trainer = personal_layers_in_turn(personal=personal, head_share=head_share)
    return fedavg()._replace(name="fedrep", trainer=trainer)
