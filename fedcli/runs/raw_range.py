"""Whether new rows are in the units of a run's own: the range of the values, as far as model.json says it.

Preprocessing takes whatever it is given: images of 0..16 for a model of images of 0..255, or rows that somebody
standardised before, are preprocessed to something that the model has never seen, and its predictions are no better
than chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fedcli.core.types import Array
from fedcli.runs.model_interface import ModelInterface

# By what a step divides bytes that has no such parameter.
_FACTORS = {"automatic": 1 / 255}


class RawRange(NamedTuple):
    """The smallest and the largest value of each feature, or of all features together, as arrays."""

    low: Array
    high: Array


def raw_range(interface: ModelInterface) -> RawRange | None:
    """The range of the raw values of a run, from its first step of preprocessing; None where that does not say it.

    Args:
        interface: of the run's model.
    """
    if not interface.preprocessing:
        return None
    step, rows = interface.preprocessing[0], interface.rows
    # `standardise` and `min_max` keep it among their statistics.
    stored = step.statistics or {}
    if {"minimum", "maximum"} <= stored.keys():
        return RawRange(stored["minimum"].array(), stored["maximum"].array())
    # Bytes are scaled to 0..1, by what their largest value is. Of other types a scale says nothing about the range.
    is_bytes = rows is not None and rows.dtype == "uint8"
    factor = step.parameters.get("factor", _FACTORS.get(step.name))
    if is_bytes and isinstance(factor, float | int) and factor > 0:
        return RawRange(np.zeros(()), np.asarray(1 / factor))
    return None


def misfits(x: Array, interface: ModelInterface) -> Iterator[str]:
    """Sentences on values that are far from the run's own; none where they fit, or where nothing is known of them.

    Args:
        x: raw rows, shape [N, ...].
        interface: of the run's model.
    """
    known = raw_range(interface)
    if known is None or not x.size:
        return
    if interface.columns is None:
        yield from _of_all(x, RawRange(known.low.min(), known.high.max()))
        return
    place, found = 0, []
    for column in interface.columns:
        if column.categories is None and known.low.ndim == 1 and place < min(x.shape[1], known.low.size):
            found += [*_of_column(column.name, x[:, place], RawRange(known.low[place], known.high[place]))]
        place += len(column.categories or ("",))
    yield from found[:3]
    if len(found) > 3:
        yield f"The same is true of {len(found) - 3:,} more columns."


def _of_column(name: str, values: Array, known: RawRange) -> Iterator[str]:
    # Room for new rows that are somewhat larger or smaller than all before; most of them are not.
    room = (known.high - known.low) / 2
    outside = (values < known.low - room) | (values > known.high + room)
    if outside.mean() > 0.5:
        yield (
            f"Warning: the column {name!r} has values {_said(values.min(), values.max())}; the run's data had "
            f"{_said(known.low, known.high)}. Give raw rows, in the same units."
        )


def _of_all(x: Array, known: RawRange) -> Iterator[str]:
    low, high, width = x.min(), x.max(), known.high - known.low
    is_too_wide = high > known.high + width / 2 or low < known.low - width / 2
    # A few dark images among others are no reason; all of them in an eighth of the range are.
    if is_too_wide or 0 < high - low < width / 8:
        yield (
            f"Warning: the values are {_said(low, high)}; the run's data had {_said(known.low, known.high)}. Give raw "
            "values on the same scale."
        )


def _said(low: Array | float, high: Array | float) -> str:
    return f"{float(low):.4g} to {float(high):.4g}"
