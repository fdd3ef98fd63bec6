"""Noise on the running sum of all rounds (DP-FTRL): a round adds the difference of two running sums.

A later round's noise cancels a part of the noise of earlier rounds. What a round needs to know of earlier noise is
secret, because it would remove that noise: it is kept in the `SECRET` entry of the transform's state and never in a
checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.types import Tree
from fedcli.core.vectors import squared_norm


def within(clip_norm: float) -> Callable[[ClientUpdate, Tree, RoundContext], str | None]:
    """The arrival check that an update's L2 norm is at most `clip_norm`."""

    # Epsilon holds only if no client moves the sum further than this, so the bound is checked here once more.
    def admit(update: ClientUpdate, _state: Tree, _context: RoundContext) -> str | None:
        norm = math.sqrt(squared_norm(update.payload))
        return (
            None if norm <= clip_norm else f"the update's norm {norm:.9g} exceeds the noise's {clip_norm:g}"
        )

    return admit
