"""A table in a csv file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from fedcli.components.data.dataset import Array, Dataset, InputColumn, ReadFromExamples, Task, hold_out
from fedcli.components.data.datasets.columns import as_numbers, encode, one_hot_columns
from fedcli.components.data.datasets.tables import Table, present, read_table
from fedcli.core.errors import ConfigError, DataError
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
    categories: Mapping[str, tuple[str, ...]] | None = None,
    classes: tuple[str | int | float, ...] | None = None,
    task: Task = "classification",
    test_fraction: float = 0.2,
) -> Dataset:
    """A .csv table with a header: numbers are features, a text column becomes one-hot features.

    The separator is the comma, the encoding UTF-8. Categories and classes are numbered in sorted order, or in the
    order in which they are declared; labels may be texts or numbers. A private run needs them declared, because one
    row with a category of its own would change the shape of the model.

    Args:
        seed: decides which rows are test rows.
        path: the file.
        target: the column to predict.
        client_column: the column with each row's client, for the partition natural; it is not a feature.
        ignore_columns: columns to leave out.
        categories: for each column of texts, all texts that may occur; null for those that do.
        classes: all values of the target that may occur; null for those that do.
        task: "classification", or "regression" with a target of numbers.
        test_fraction: share of every client's or class's rows that is held out, in (0, 1).

    Raises:
        DataError: if the file or a column is absent, or a value is missing, of the wrong kind or not declared.

    Example: path='patients.csv', target='diagnosis', classes=('healthy', 'ill')
    """
    table = read_table(Path(path).expanduser())
    _check_columns(table, [target], key="target")
    _check_columns(table, [client_column] if client_column is not None else [], key="client_column")
    _check_columns(table, ignore_columns, key="ignore_columns")
    declared = dict(categories or {})
    _check_columns(table, declared, key="categories")
    if classes is not None and task == "regression":
        raise ConfigError("a regression has no classes.", key="classes", hint="Leave classes out.")
    names = [name for name in table.columns if name not in {target, client_column, *ignore_columns}]
    x, columns = _features(table, names, declared)
    y, class_names = _classes(table, target, classes) if task == "classification" else _targets(table, target)
    ids, clients = (None, None) if client_column is None else encode(present(table, client_column))
    # By client if there are clients, so that each of them keeps training examples.
    groups = ids if ids is not None else y if task == "classification" else None
    train, test = hold_out(len(y), test_fraction, rng=generator(seed, 0, SERVER, "data/csv"), groups=groups)
    return Dataset(
        x[train],
        y[train],
        x[test],
        y[test],
        task=task,
        num_outputs=1 if class_names is None else len(class_names),
        client_ids=None if ids is None else ids[train],
        client_names=clients,
        read_from_examples=(
            *(
                _read_categories(column)
                for column in columns
                if column.categories and column.name not in declared
            ),
            *(_read_classes(table, target) for _ in range(task == "classification" and classes is None)),
        ),
        columns=columns,
        target=target,
        class_names=class_names,
    )


def features_of(table: Table, columns: Sequence[InputColumn]) -> Array:
    """The features of a table in the order of the columns, float32 [N, D].

    Args:
        table: has all of the columns, and may have others.
        columns: as a dataset declares them.

    Raises:
        DataError: with the line of a value that is missing, of the wrong kind, or of no known category.
    """
    for column in columns:
        texts = present(table, column.name)
        if column.categories is None and as_numbers(texts) is None:
            row = next(row for row, text in enumerate(texts) if as_numbers([text]) is None)
            raise DataError(
                f"Line {table.lines[row]} of {table.path} has {texts[row]!r} in the column {column.name!r}; a number "
                "is expected.",
                key="path",
            )
    features = [_feature(table, column.name, column.categories)[0] for column in columns]
    return np.concatenate(features, axis=1)


def _check_columns(table: Table, names: Iterable[str], *, key: str) -> None:
    for name in names:
        if name not in table.columns:
            close = difflib.get_close_matches(name, table.columns, n=1)
            raise DataError(
                f"{table.path} has no column {name!r}; it has {', '.join(table.columns)}.",
                key=key,
                hint=f"Did you mean {close[0]!r}?" if close else "Use one of these columns.",
            )


def _features(
    table: Table, names: Sequence[str], declared: Mapping[str, Sequence[str]]
) -> tuple[Array, tuple[InputColumn, ...]]:
    if not names:
        raise DataError(
            f"{table.path} has no column left for features; expected at least one besides the target, the clients "
            "and the ignored columns.",
            key="path",
        )
    features, categories = zip(*(_feature(table, name, declared.get(name)) for name in names), strict=True)
    columns = (InputColumn(name, texts) for name, texts in zip(names, categories, strict=True))
    return np.concatenate(features, axis=1), tuple(columns)


def _feature(table: Table, name: str, declared: Sequence[str] | None) -> tuple[Array, tuple[str, ...] | None]:
    """One column's features [N, D], and its categories if it holds texts."""
    texts = present(table, name)
    if declared is not None:
        _check_declared(table, name, texts, declared, key="categories")
        return one_hot_columns(texts, declared)
    numbers = as_numbers(texts)
    if numbers is not None:
        return _finite(table, name, numbers)[:, np.newaxis].astype(np.float32), None
    num_categories = len(set(texts))
    if num_categories > MAX_CATEGORIES:
        raise DataError(
            f"The column {name!r} of {table.path} has {num_categories:,} distinct texts; at most "
            f"{MAX_CATEGORIES:,} can become one-hot features.",
            key="ignore_columns",
            hint=f"Add {name!r} to ignore_columns, use it as client_column, or convert it to numbers.",
        )
    return one_hot_columns(texts)


def _classes(
    table: Table, name: str, declared: Sequence[str | int | float] | None
) -> tuple[Array, tuple[str, ...]]:
    texts = present(table, name)
    numbers = as_numbers(texts)
    # Numbers are compared as numbers: 1 and 1.0 are one class, and 10 comes after 9.
    values = texts if numbers is None else _finite(table, name, numbers).tolist()
    if declared is not None:
        is_text = numbers is None or any(isinstance(each, str) for each in declared)
        values = texts if is_text else values
        declared = [str(each) if is_text else float(each) for each in declared]
        _check_declared(table, name, values, declared, key="classes")
    labels, names = encode(values, declared)
    if not 2 <= len(names) <= MAX_CATEGORIES:
        raise DataError(
            f"The target {name!r} of {table.path} has {len(names):,} distinct values; expected 2 to "
            f"{MAX_CATEGORIES:,} classes.",
            key="target" if declared is None else "classes",
            hint="Set task: regression to predict numbers." if numbers is not None else "",
        )
    # 0.0 and 1.0 are 0 and 1 in most tables, and so are they in those that are predicted.
    is_whole = values is not texts and all(name.endswith(".0") for name in names)
    return labels, tuple(name.removesuffix(".0") for name in names) if is_whole else names


def _check_declared(
    table: Table, name: str, values: Sequence[str | float], declared: Sequence[str | float], *, key: str
) -> None:
    known = set(declared)
    if len(known) < len(declared):
        raise ConfigError(
            f"{key} of {name!r} declares a value twice.", key=key, hint="Write each value once."
        )
    row = next((row for row, value in enumerate(values) if value not in known), None)
    if row is not None:
        raise DataError(
            f"Line {table.lines[row]} of {table.path} has {table.columns[name][row]!r} in the column {name!r}, which "
            f"{key} does not declare.",
            key=key,
            hint="Declare it, or correct the row.",
        )


def _read_categories(column: InputColumn) -> ReadFromExamples:
    name, found = column.name, ", ".join((column.categories or ())[:3])
    return ReadFromExamples(
        "categories", f"the categories of the column {name!r}", f"{{{name}: [{found}, ...]}}"
    )


def _read_classes(table: Table, name: str) -> ReadFromExamples:
    found = ", ".join(sorted(set(table.columns[name]))[:3])
    return ReadFromExamples("classes", f"the classes of the target {name!r}", f"[{found}, ...]")


def _targets(table: Table, name: str) -> tuple[Array, None]:
    numbers = as_numbers(present(table, name))
    if numbers is None:
        raise DataError(
            f"The target {name!r} of {table.path} holds texts; expected numbers for regression.",
            key="target",
            hint="Set task: classification to predict classes.",
        )
    return _finite(table, name, numbers), None


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
