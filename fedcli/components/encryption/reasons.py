"""Reasons as they stand in the middle of a record's sentence."""

from __future__ import annotations

from fedcli.core.errors import ConfigError


def middle(error: Exception) -> str:
    """What an error says, without its hint and its full stop."""
    said = error.message if isinstance(error, ConfigError) else str(error)
    return said.rstrip(".")
