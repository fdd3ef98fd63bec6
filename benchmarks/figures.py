"""One figure of a benchmark: what was measured, its value, the mark, or the reason why there is no value."""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """A row of the page.

    Args:
        what: what was measured.
        value: the figure; None if it could not be measured, with the reason in `note`.
        unit: after the value: `times`, `GB/s`, `s`.
        least: the mark, if more is better.
        most: the mark, if less is better.
        note: spread, details, or the reason.
    """

    what: str
    value: float | None
    unit: str
    least: float | None = None
    most: float | None = None
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the figure reaches its mark; None without a figure or without a mark."""
        if self.value is None or (self.least is None and self.most is None):
            return None
        return (self.least is None or self.value >= self.least) and (
            self.most is None or self.value <= self.most
        )

    @property
    def mark(self) -> str:
        """The mark in words; empty without one."""
        if self.least is not None:
            return f"at least {self.least:g}"
        return "" if self.most is None else f"at most {self.most:g}"

    @property
    def shown(self) -> str:
        """The value with its unit; a dash where there is none."""
        return "-" if self.value is None else f"{self.value:.3g} {self.unit}"

    @property
    def verdict(self) -> str:
        """Whether the mark is met, in a word; `not measured` where there is no value."""
        if self.value is None:
            return "not measured"
        return {None: "", True: "yes", False: "no"}[self.is_met]

    def line(self) -> str:
        """The figure on the terminal."""
        mark = f" ({self.mark}: {self.verdict})" if self.mark and self.value is not None else ""
        note = f"; {self.note}" if self.note else ""
        return f"{self.what}: {self.shown}{mark}{note}"


def unmeasured(what: str, unit: str, reason: str) -> Figure:
    """The row of what could not be measured."""
    return Figure(what, None, unit, note=reason)
