"""The type of a schedule of the clients' learning rate."""

from __future__ import annotations

from collections.abc import Callable

Schedule = Callable[[int, int], float]
"""`(round counted from 1, planned rounds)` -> factor."""
