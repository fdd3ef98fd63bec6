"""Updates that cannot be sent as they are, where not to send them would tell something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fedcli.core.contracts import Transform
from fedcli.core.factories import component
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.types import Tree


@component
def finite() -> Transform:
    """An update with NaN or infinity counts as zero, and goes on its way.

    Where clients add noise themselves, one that sends nothing sends no noise either: its absence would be seen,
    and the sum would hold one share less than is accounted for.
    """

    def encode(update: ClientUpdate, _state: Tree, _context: RoundContext) -> ClientUpdate:
        if np.isfinite(update.payload).all():
            return update
        return replace(update, payload=np.zeros_like(update.payload))

    return Transform("finite", encode=encode)
