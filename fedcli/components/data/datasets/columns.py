"""Columns of texts: numbers where all of them are, codes of sorted categories where they are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fedcli.components.data.dataset import Array, Rows


def encode(values: Sequence[Any]) -> tuple[Rows, tuple[str, ...]]:
    """Number the distinct values in sorted order.

    Args:
        values: texts, or numbers, N of them.

    Returns:
        The number of each, int64 [N], and the distinct values as texts.
    """
    distinct = sorted(set(values))
    numbers = {value: number for number, value in enumerate(distinct)}
    codes = np.fromiter((numbers[value] for value in values), np.int64, len(values))
    return codes, tuple(str(value) for value in distinct)


def as_numbers(texts: Sequence[str]) -> Array | None:
    """The column as float64 [N], or None where a text is not a number."""
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
