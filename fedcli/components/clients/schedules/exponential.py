"""A learning rate that falls exponentially."""

from __future__ import annotations

from fedcli.components.clients.schedules.schedule import Schedule
from fedcli.core.errors import ConfigError


def exponential(*, decay: float = 0.99) -> Schedule:
    """decay^(round - 1).

    Args:
        decay: factor from one round to the next, in (0, 1].
    """
    if not 0 < decay <= 1:
        raise ConfigError(f"decay lies in (0, 1]; received {decay}.", key="decay")
    return lambda round, _rounds: decay ** (round - 1)
