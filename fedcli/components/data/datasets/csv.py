"""A table in a csv file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fedcli.components.data.dataset import Array, Dataset, Task, hold_out
from fedcli.components.data.datasets.columns import as_numbers, encode, one_hot_columns
from fedcli.components.data.datasets.tables import Table, present, read_table
from fedcli.core.errors import DataError
from fedcli.core.seeds import SERVER, generator

MAX_CATEGORIES = 1000
"""Most distinct texts or classes of a column: each one is a feature or an output, and takes memory."""


def csv(
    seed: int,
    *,
    path: str,
    target: str,
    client_column: str | None = None,
    ignore_columns: tuple[str, ...] = (),
    task: Task = "classification",
    test_fraction: float = 0.2,
) -> Dataset:
    """A .csv table with a header: numbers are features, a text column becomes one-hot features.

    The separator is the comma, the encoding UTF-8. Categories and classes are numbered in sorted order;
    labels may be texts or numbers.

    Args:
        seed: decides which rows are test rows.
        path: the file.
        target: the column to predict.
        client_column: the column with each row's client, for the partition natural; it is not a feature.
        ignore_columns: columns to leave out.
        task: "classification", or "regression" with a target of numbers.
        test_fraction: share of every client's or class's rows that is held out, in (0, 1).

    Raises:
        DataError: if the file or a column is absent, or a value is missing or of the wrong kind.
    """
    table = read_table(Path(path).expanduser())
    _check_columns(table, [target], key="target")
    _check_columns(table, [client_column] if client_column is not None else [], key="client_column")
    _check_columns(table, ignore_columns, key="ignore_columns")
    x = _features(table, without={target, client_column, *ignore_columns})
    y, num_outputs = _classes(table, target) if task == "classification" else _targets(table, target)
    ids, names = (None, None) if client_column is None else encode(present(table, client_column))
    # By client if there are clients, so that each of them keeps training examples.
    groups = ids if ids is not None else y if task == "classification" else None
    train, test = hold_out(len(y), test_fraction, rng=generator(seed, 0, SERVER, "data/csv"), groups=groups)
    return Dataset(
        x[train],
        y[train],
        x[test],
        y[test],
        task=task,
        num_outputs=num_outputs,
        client_ids=None if ids is None else ids[train],
        client_names=names,
    )


def _check_columns(table: Table, names: Iterable[str], *, key: str) -> None:
    for name in names:
        if name not in table.columns:
            close = difflib.get_close_matches(name, table.columns, n=1)
            raise DataError(
                f"{table.path} has no column {name!r}; it has {', '.join(table.columns)}.",
                key=key,
                hint=f"Did you mean {close[0]!r}?" if close else "Use one of these columns.",
            )


def _features(table: Table, *, without: set[str | None]) -> Array:
    names = [name for name in table.columns if name not in without]
    if not names:
        raise DataError(
            f"{table.path} has no column left for features; expected at least one besides the target, the clients "
            "and the ignored columns.",
            key="path",
        )
    return np.concatenate([_feature(table, name) for name in names], axis=1)


def _feature(table: Table, name: str) -> Array:
    numbers = as_numbers(present(table, name))
    if numbers is not None:
        return _finite(table, name, numbers)[:, np.newaxis].astype(np.float32)
    num_categories = len(set(table.columns[name]))
    if num_categories > MAX_CATEGORIES:
        raise DataError(
            f"The column {name!r} of {table.path} has {num_categories:,} distinct texts; at most "
            f"{MAX_CATEGORIES:,} can become one-hot features.",
            key="ignore_columns",
            hint=f"Add {name!r} to ignore_columns, use it as client_column, or convert it to numbers.",
        )
    return one_hot_columns(table.columns[name])


def _classes(table: Table, name: str) -> tuple[Array, int]:
    texts = present(table, name)
    numbers = as_numbers(texts)
    # Numbers are compared as numbers: 1 and 1.0 are one class, and 10 comes after 9.
    labels, names = encode(texts if numbers is None else _finite(table, name, numbers).tolist())
    if not 2 <= len(names) <= MAX_CATEGORIES:
        raise DataError(
            f"The target {name!r} of {table.path} has {len(names):,} distinct values; expected 2 to "
            f"{MAX_CATEGORIES:,} classes.",
            key="target",
            hint="Set task: regression to predict numbers." if numbers is not None else "",
        )
    return labels, len(names)


def _targets(table: Table, name: str) -> tuple[Array, int]:
    numbers = as_numbers(present(table, name))
    if numbers is None:
        raise DataError(
            f"The target {name!r} of {table.path} holds texts; expected numbers for regression.",
            key="target",
            hint="Set task: classification to predict classes.",
        )
    return _finite(table, name, numbers), 1


def _finite(table: Table, name: str, numbers: Array) -> Array:
    # Training is in float32, where a larger number would be infinite.
    with np.errstate(over="ignore"):
        finite = np.isfinite(numbers.astype(np.float32))
    if not finite.all():
        row = int(np.argmin(finite))
        raise DataError(
            f"Line {table.lines[row]} of {table.path} has {table.columns[name][row]!r} in the column {name!r}; "
            "expected a finite number within the range of float32.",
            key="path",
        )
    return numbers
