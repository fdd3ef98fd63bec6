"""Columns of texts as numbers, or as codes of sorted categories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fedcli.components.data.dataset import Array, Rows


def encode(values: Sequence[str | float]) -> tuple[Rows, tuple[str, ...]]:
    """Number the distinct values in sorted order.

    Args:
        values: N texts or numbers.

    Returns:
        The number of each value, int64 [N], and the distinct values as texts.
    """
    # Sorted, so that the codes do not depend on the order of the rows.
    distinct = sorted(set(values))
    numbers = {value: number for number, value in enumerate(distinct)}
    codes = np.fromiter((numbers[value] for value in values), np.int64, len(values))
    return codes, tuple(str(value) for value in distinct)


def as_numbers(texts: Sequence[str]) -> Array | None:
    """The column as float64 [N], or None if a text is not a number."""
    try:
        return np.array([float(text) for text in texts])
    except ValueError:
        return None


def one_hot_columns(texts: Sequence[str]) -> Array:
    """One float32 column for each distinct text, in sorted order, [N, C]."""
    codes, names = encode(texts)
    columns = np.zeros((len(texts), len(names)), np.float32)
    columns[np.arange(len(texts)), codes] = 1.0
    return columns
