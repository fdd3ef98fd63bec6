"""The same learning rate in every round."""

from __future__ import annotations

from fedcli.components.clients.schedules.schedule import Schedule


def constant() -> Schedule:
    """The same learning rate in every round."""
    return lambda _round, _rounds: 1.0
