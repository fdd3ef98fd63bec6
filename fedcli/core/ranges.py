"""Checks of parameters that many components share."""

from __future__ import annotations

import math

from fedcli.core.errors import ConfigError


def require_count(name: str, value: int, *, at_least: int, at_most: int | None = None) -> None:
    """Refuse an integer parameter below `at_least`, or above `at_most` where calculating with it would take too long.

    Raises:
        ConfigError: with `name` as its key.
    """
    if value < at_least:
        raise ConfigError(f"{name} is a whole number of at least {at_least}; received {value}.", key=name)
    if at_most is not None and value > at_most:
        raise ConfigError(f"{name} is at most {at_most:,}; received {value}.", key=name)


def require_positive_finite(name: str, value: float) -> None:
    """Refuse a parameter that is not above 0 or not finite.

    Raises:
        ConfigError: with `name` as its key.
    """
    # Written so that NaN is refused too.
    if not 0 < value < math.inf:
        raise ConfigError(f"{name} is a finite number above 0; received {value}.", key=name)


def require_rate(value: float) -> None:
    """Refuse a sampling rate that does not lie in (0, 1]."""
    if not 0 < value <= 1:
        raise ConfigError(f"a sampling rate lies in (0, 1]; received {value}.", key="rate")
