"""Multi-Krum: the mean of the updates that are nearest to their neighbours."""

from __future__ import annotations

import numpy as np

from fedcli.components.aggregators.collected import Rows, collecting, mean_of
from fedcli.components.aggregators.distances import squared_distances
from fedcli.components.aggregators.krum import krum_scores
from fedcli.core.contracts import Aggregator
from fedcli.core.factories import component
from fedcli.core.ranges import require_count
from fedcli.core.types import Array, Tree


@component
def multi_krum(*, num_byzantine: int, num_selected: int | None = None) -> Aggregator:
    """The mean of the updates that are nearest to their neighbours.

    These are the m updates with the least Krum scores; m = 1 is Krum. With m <= n - f every selected update
    obeys Krum's bound. In a round with fewer than max(2f + 3, m + f) updates the model does not change.

    Formula: w <- w + mean of the num_selected updates u_i of the least scores s_i = sum_j ||u_i - u_j||^2 over
    the n - num_byzantine - 2 nearest j.

    Args:
        num_byzantine: f, the number of clients in a round that may be poisoned, at least 0; needs 2f + 3 clients.
        num_selected: m, at least 1; needs m + f clients. By default n - f, for the n updates of a round.

    Raises:
        ConfigError: if a parameter is outside its range.

    Reference: Blanchard et al. 2017, arXiv:1703.02757. Unweighted, as in the paper.

    Deviations: clients train locally; in the paper each client sends one gradient. The updates' contents decide
    between equal scores; the paper takes the smaller client number.

    Combines: cohorts of at least 2 num_byzantine + 3 and num_selected + num_byzantine clients, any model without
    federated BatchNorm statistics; not with encryption or central noise, which hide the single updates.

    Example: num_byzantine=2
    """
    require_count("num_byzantine", num_byzantine, at_least=0)
    if num_selected is not None:
        require_count("num_selected", num_selected, at_least=1)

    def combine(rows: Rows, state: Tree) -> tuple[Array, Tree]:
        # Drop-outs make n differ from round to round, and with it the number of neighbours and of selected updates.
        count = len(rows.vectors)
        scores = krum_scores(squared_distances(rows.vectors), count - num_byzantine - 2)
        best = np.argsort(scores, kind="stable")[: num_selected or count - num_byzantine]
        return mean_of(rows, best.tolist()), state

    needed = max(2 * num_byzantine + 3, (num_selected or 1) + num_byzantine)
    return collecting("multi-krum", combine, min_clients=needed)
