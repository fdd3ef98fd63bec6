"""Clipping of every layer of an update to an L2 ball of its own."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from fedcli.components.transforms.clip import MARGIN, clipped
from fedcli.core.errors import require_positive
from fedcli.core.factories import component
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.transform import Transform
from fedcli.core.types import Tree
from fedcli.core.vectors import squared_norm


@component
def layer_clip(*, clip_norm: float) -> Transform:
    """u_l <- u_l * min(1, C_l / ||u_l||) for each of L layers, with C_l = clip_norm / sqrt(L).

    The whole update's norm is then at most clip_norm, which is what noise on the sum must cover.

    Args:
        clip_norm: the largest L2 norm of a whole update that leaves a client, above 0; infinity changes no update.

    Raises:
        InvalidUpdateError: from `encode`, for an update with NaN or infinity, which no factor can clip.

    Reference: McMahan et al. 2018, arXiv:1710.06963, per-layer clipping with equal bounds.

    Deviations: a layer is one array of the model, so that a kernel and its bias are clipped separately.

    Example: clip_norm=1.0
    """
    require_positive("clip_norm", clip_norm)

    def pieces(vector: np.ndarray, context: RoundContext) -> list[np.ndarray]:
        ends = np.cumsum([0, *context.layers])
        return [vector[start:end] for start, end in pairwise(ends)]

    def bound(context: RoundContext) -> float:
        # The margin keeps the root of the sum of the squares from passing the norm by a rounding.
        return clip_norm / math.sqrt(len(context.layers)) * MARGIN

    def encode(update: ClientUpdate, _state: Tree, context: RoundContext) -> ClientUpdate:
        parts = [clipped(piece, bound(context)) for piece in pieces(update.payload, context)]
        return replace(update, payload=np.concatenate(parts))

    def admit(update: ClientUpdate, _state: Tree, context: RoundContext) -> str | None:
        for number, piece in enumerate(pieces(update.payload, context), start=1):
            norm = math.sqrt(squared_norm(piece))
            # Not `norm > bound`, which would let NaN pass.
            if not norm <= bound(context):
                return f"the norm {norm:.6g} of array {number} exceeds its clip norm {bound(context):g}"
        return None

    return Transform("layer_clip", client_copies=2, encode=encode, admit=admit)
