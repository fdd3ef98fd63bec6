"""Clipping of a whole update to an L2 ball."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fedcli.core.errors import InvalidUpdateError, require_positive
from fedcli.core.factories import component
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.transform import Transform
from fedcli.core.types import Tree, Vector
from fedcli.core.vectors import squared_norm

# The products are rounded to float32, whose unit is 2^-24; this margin keeps the norm below the bound.
MARGIN = 1 - 2.0**-22


@component
def clip(*, clip_norm: float) -> Transform:
    """u <- u * min(1, clip_norm / ||u||), over all coordinates together.

    The server checks the bound again on arrival: a client that skips its half is rejected.

    Args:
        clip_norm: the largest L2 norm that leaves a client, above 0; infinity changes no update.

    Raises:
        InvalidUpdateError: from `encode`, for an update with NaN or infinity, which no factor can clip.

    Reference: McMahan et al. 2018, arXiv:1710.06963.

    Example: clip_norm=1.0
    """
    require_positive("clip_norm", clip_norm)

    def encode(update: ClientUpdate, _state: Tree, _context: RoundContext) -> ClientUpdate:
        return replace(update, payload=clipped(update.payload, clip_norm))

    def admit(update: ClientUpdate, _state: Tree, _context: RoundContext) -> str | None:
        norm = math.sqrt(squared_norm(update.payload))
        return (
            None if norm <= clip_norm else f"the update's norm {norm:.6g} exceeds the clip norm {clip_norm:g}"
        )

    return Transform("clip", encode=encode, admit=admit)


def clipped(vector: Vector, clip_norm: float) -> Vector:
    """The vector scaled to at most `clip_norm`; the same object where it is no longer than that.

    Raises:
        InvalidUpdateError: if it has NaN or infinity.
    """
    norm = math.sqrt(squared_norm(vector))
    if not math.isfinite(norm):
        raise InvalidUpdateError("the update has NaN or infinite values, which cannot be clipped")
    # The same object: an update that needs no clip keeps its bits, and callers can tell that it was not clipped.
    if norm <= clip_norm:
        return vector
    # In float64, because the factor of a diverged update has few digits left in float32, or none.
    shorter = np.empty_like(vector)
    np.multiply(vector, clip_norm / norm * MARGIN, out=shorter, dtype=np.float64)
    return shorter
