"""Numbers as a reader of the report wants them: four digits, bytes and seconds in units that fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from fedcli.runs.headline import is_finite
from fedcli.runs.report.content import Cell


def number(value: object) -> str:
    """A number with four digits, or a dash for what is none."""
    if not is_finite(value):
        return "–"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def size(value: object) -> str:
    """A number of bytes in kB, MB or GB."""
    if not is_finite(value):
        return "–"
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.0f} bytes"


def duration(value: object) -> str:
    """A number of seconds in ms, s, min or h."""
    if not is_finite(value):
        return "–"
    if abs(value) < 1:
        return f"{value * 1000:.3g} ms"
    if abs(value) < 100:
        return f"{value:.3g} s"
    minutes, seconds = divmod(round(value), 60)
    return f"{minutes} min {seconds:02} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60:02} min"


def share(part: float, whole: float) -> str:
    """A part of a whole in percent."""
    return f"{100 * part / whole:.3g} %" if whole else "–"


def counted(count: int, noun: str) -> str:
    """A number of things, with the plural where there is not one."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def cell(value: object, words: Callable[[object], str] = number) -> Cell:
    """A number as a cell; what is no number is a dash.

    Args:
        value: anything.
        words: what makes its text.
    """
    return Cell(words(value), float(value) if is_finite(value) else None)


def spread(values: Sequence[float], words: Callable[[object], str] = number) -> Cell:
    """Mean ± standard deviation of several values; equal ones have none, and no value is an empty cell."""
    if not values:
        return Cell("")
    mean = float(np.mean(values))
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    if deviation == 0:
        return Cell(words(mean), mean)
    if words is number and abs(mean) < 1000:
        # A mean has no digits worth showing beyond the first two of its deviation.
        digits = max(0, min(6, 1 - math.floor(math.log10(deviation))))
        return Cell(f"{mean:.{digits}f} ± {deviation:.{digits}f}", mean)
    return Cell(f"{words(mean)} ± {words(deviation)}", mean)
