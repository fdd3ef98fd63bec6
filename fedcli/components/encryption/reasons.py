"""Reasons in the form that records use inside a sentence."""

from __future__ import annotations

from fedcli.core.errors import ConfigError


def middle(error: Exception) -> str:
    """The message of an error without its hint and its full stop."""
    # A hint tells how to change the config, which does not belong in the record of a round.
    said = error.message if isinstance(error, ConfigError) else str(error)
    return said.rstrip(".")
