"""Replacement of updates that are not finite, where a missing update would reveal something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fedcli.core.factories import component
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.transform import Transform
from fedcli.core.types import Tree


@component
def finite() -> Transform:
    """An update with NaN or infinity is replaced by zeros and sent.

    If clients add noise themselves, a client that sends nothing sends no noise either: its absence would be seen, and
    the sum would have one share of noise less than is accounted for.
    """

    def encode(update: ClientUpdate, _state: Tree, _context: RoundContext) -> ClientUpdate:
        if np.isfinite(update.payload).all():
            return update
        return replace(update, payload=np.zeros_like(update.payload))

    return Transform("finite", encode=encode)
