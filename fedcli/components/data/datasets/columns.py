"""Columns of texts as numbers, or as codes of sorted categories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fedcli.components.data.dataset import Array, Rows


def encode(
    values: Sequence[str | float], declared: Sequence[str | float] | None = None
) -> tuple[Rows, tuple[str, ...]]:
    """Number the distinct values in sorted order, or in the order in which they are declared.

    Args:
        values: N texts or numbers.
        declared: all values that may occur; None for those that do.

    Returns:
        The number of each value, int64 [N], and the distinct values as texts.

    Raises:
        KeyError: with a value that is not declared.
    """
    # Sorted, so that the codes do not depend on the order of the rows.
    distinct = sorted(set(values)) if declared is None else declared
    numbers = {value: number for number, value in enumerate(distinct)}
    codes = np.fromiter((numbers[value] for value in values), np.int64, len(values))
    return codes, tuple(str(value) for value in distinct)


def encode_array(values: Array, declared: Sequence[str] | None = None) -> tuple[Rows, tuple[str, ...]]:
    """As `encode`, of an array of texts or whole numbers [N], without a Python object for each of its values.

    Raises:
        KeyError: with the first value that is not declared.
    """
    found, codes = np.unique(values, return_inverse=True)
    distinct = found.tolist()
    if declared is None:
        return codes.astype(np.int64, copy=False), tuple(map(str, distinct))
    numbers = {value: number for number, value in enumerate(declared)}
    known = np.array([numbers.get(value, -1) for value in distinct], np.int64)[codes]
    if len(known) and known.min() < 0:
        raise KeyError(distinct[codes[np.argmin(known)]])
    return known, tuple(declared)


def as_numbers(texts: Sequence[str]) -> Array | None:
    """The column as float64 [N], or None if a text is not a number."""
    try:
        return np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        return None


def one_hot_columns(
    texts: Sequence[str], declared: Sequence[str] | None = None
) -> tuple[Array, tuple[str, ...]]:
    """One float32 column for each distinct text, [N, C], and the texts in their order, both as of `encode`."""
    codes, names = encode(texts, declared)
    columns = np.zeros((len(texts), len(names)), np.float32)
    columns[np.arange(len(texts)), codes] = 1.0
    return columns, names
