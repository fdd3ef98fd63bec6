"""A learning rate that falls at given rounds."""

from __future__ import annotations

from collections.abc import Sequence

from fedcli.components.clients.schedules.schedule import Schedule
from fedcli.core.errors import ConfigError


def step(*, milestones: Sequence[int], factor: float = 0.1) -> Schedule:
    """Multiplies the learning rate by `factor` at each milestone.

    Args:
        milestones: rounds at which the rate drops.
        factor: factor of each drop, above 0.

    Example: milestones=[10, 20]
    """
    if not factor > 0:
        raise ConfigError(f"factor is a number above 0; received {factor}.", key="factor")
    return lambda round, _rounds: factor ** sum(round >= milestone for milestone in milestones)
