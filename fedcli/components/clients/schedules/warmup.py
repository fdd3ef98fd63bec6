"""A learning rate that rises over the first rounds."""

from __future__ import annotations

from fedcli.components.clients.schedules.schedule import Schedule
from fedcli.core.errors import ConfigError


def warmup(*, rounds: int = 5) -> Schedule:
    """Rises in equal steps to 1 over the first rounds.

    Args:
        rounds: number of rounds below the full rate, at least 1.
    """
    if rounds < 1:
        raise ConfigError(f"a warm-up lasts at least 1 round; received {rounds}.", key="rounds")
    return lambda round, _planned: min(1.0, round / rounds)
