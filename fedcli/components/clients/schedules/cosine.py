"""A learning rate that falls along half a cosine."""

from __future__ import annotations

import math

from fedcli.components.clients.schedules.schedule import Schedule
from fedcli.core.errors import require_share


def cosine(*, final: float = 0.0) -> Schedule:
    """Falls from 1 along half a cosine; it would reach `final` in the round after the last.

    Args:
        final: factor at the end of the cosine, in [0, 1).

    Reference: Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.
    """
    require_share("final", final)

    def factor(round: int, rounds: int) -> float:
        progress = (round - 1) / rounds
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))

    return factor
