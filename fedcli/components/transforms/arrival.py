"""The arrival check of every update, whatever the other transforms are."""

from __future__ import annotations

import numpy as np

from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.transform import Transform
from fedcli.core.types import Array, Payload, Tree


def arrival(payload: Payload = "vector") -> Transform:
    """Refuses updates of another shape than the model's and updates with NaN or infinity.

    A ciphertext is checked by the transform that made it.

    Args:
        payload: type of the payload that the transforms before it give; it is not changed.
    """
    admit = _admit_statistics if payload == "ciphertext" else _admit
    return Transform(
        "arrival", init=lambda size: {"size": np.int64(size)}, admit=admit, takes=payload, gives=payload
    )


def _admit(update: ClientUpdate, state: Tree, context: RoundContext) -> str | None:
    expected = (int(state["size"]),)
    if update.payload.shape != expected:
        return f"the update has shape {list(update.payload.shape)}; the model has {list(expected)}"
    if not _is_finite(update.payload):
        return "the update has NaN or infinite values"
    return _admit_statistics(update, state, context)


def _admit_statistics(update: ClientUpdate, _state: Tree, _context: RoundContext) -> str | None:
    if not _is_finite(update.statistics):
        return "the non-trainable weights have NaN or infinite values"
    return None


def _is_finite(vector: Array) -> bool:
    """A finite sum proves finite terms, and is cheaper than looking at each; the converse does not hold."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(vector.sum())) or bool(np.isfinite(vector).all())
