"""The arrival check of every update, whatever the other transforms are."""

from __future__ import annotations

import numpy as np

from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.transform import Transform
from fedcli.core.types import Payload, Tree, Weighting
from fedcli.core.vectors import is_finite


def arrival(
    payload: Payload = "vector", *, weighting: Weighting | None = None, takes_statistics: bool = True
) -> Transform:
    """Refuses updates of another shape than the model's, updates with NaN or infinity, and weights that are too large.

    A ciphertext is checked by the transform that made it.

    Args:
        payload: type of the payload that the transforms before it give; it is not changed.
        weighting: how clients are weighted, where the server multiplies updates by their weights; None where an
            integer grid has the weights, and checks them.
        takes_statistics: whether updates may have non-trainable weights; noise on the sum does not cover them.
    """

    def admit(update: ClientUpdate, state: Tree, context: RoundContext) -> str | None:
        largest = 1.0 if weighting == "uniform" else float(update.num_examples)
        # Late updates of asynchronous rounds have less weight. Not `weight > largest`, which would let NaN pass.
        if weighting is not None and not 0 < update.weight <= largest:
            return f"the update has weight {update.weight:.6g}; at most {largest:g} is expected"
        if not takes_statistics and update.statistics.size:
            return f"the update has {update.statistics.size} non-trainable weights, which are not noised; expected none"
        return (_admit_statistics if payload == "ciphertext" else _admit)(update, state, context)

    return Transform(
        "arrival", init=lambda size: {"size": np.int64(size)}, admit=admit, takes=payload, gives=payload
    )


def _admit(update: ClientUpdate, state: Tree, context: RoundContext) -> str | None:
    expected = (int(state["size"]),)
    if update.payload.shape != expected:
        return f"the update has shape {list(update.payload.shape)}; the model has {list(expected)}"
    if not is_finite(update.payload):
        return "the update has NaN or infinite values"
    return _admit_statistics(update, state, context)


def _admit_statistics(update: ClientUpdate, _state: Tree, _context: RoundContext) -> str | None:
    # Statistics are averaged too, and a single NaN would stay in the model.
    if not is_finite(update.statistics):
        return "the non-trainable weights have NaN or infinite values"
    return None
