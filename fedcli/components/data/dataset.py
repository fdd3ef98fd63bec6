"""A dataset before it is divided over clients, and the choice of test examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError, DataError

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]
Task = Literal["classification", "regression"]

CHUNK_ROWS = 8192
"""Rows that a check reads at a time, so that it never copies a whole dataset."""


class ReadFromExamples(NamedTuple):
    """A part of the model's shape that the config leaves open, and that was read from everybody's examples.

    Attributes:
        key: the dataset's parameter that declares it.
        what: it in words.
        declaration: how the config could declare it.
    """

    key: str
    what: str
    declaration: str


class InputColumn(NamedTuple):
    """A column of a table that is a feature, or several.

    Attributes:
        name: in the header of the table.
        categories: the texts that may occur, of which each is a feature of 0 or 1; None for a column of numbers.
    """

    name: str
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training examples, central test examples, and the natural client of each example, if there is one.

    Args:
        x: training features, any numeric dtype, shape [N, ...]. Images stay uint8 here; a client's rows
            become float32 when they are preprocessed.
        y: labels 0..num_outputs-1, shape [N] (kept as int64), or targets, shape [N] or [N, T] (float32).
        x_test: test features, shape [M, ...].
        y_test: test labels or targets, as `y`.
        task: "classification" or "regression".
        num_outputs: classes, or targets of one example (1 where `y` is [N]).
        client_ids: natural client of each training example, 0..K-1, each at least once; shape [N].
        client_names: the K clients' names.
        read_from_examples: what of the model's shape one example could change, such as its categories.
        test_is_public: whether the test examples belong to no client. None takes them for clients' rows if there are
            natural clients; otherwise a partition deals the training examples alone.
        columns: of a table, the columns that become the features, in the order of the features.
        target: of a table, the column to predict.
        class_names: the names of classes 0..num_outputs-1, where they have some.

    Raises:
        DataError: if lengths or shapes disagree, a value is not finite, or a label is out of range.
    """

    x: Array
    y: Array
    x_test: Array
    y_test: Array
    task: Task
    num_outputs: int
    client_ids: Rows | None = None
    client_names: tuple[str, ...] | None = None
    read_from_examples: tuple[ReadFromExamples, ...] = ()
    test_is_public: bool | None = None
    columns: tuple[InputColumn, ...] | None = None
    target: str | None = None
    class_names: tuple[str, ...] | None = None

    @property
    def num_examples(self) -> int:
        """Training examples, N."""
        return len(self.y)

    @property
    def client_sizes(self) -> Rows | None:
        """Training examples of each natural client, [K], where the examples are in the order of their clients.

        None of a dataset that says the client of each example, or of none.
        """
        return None

    @property
    def test_clients(self) -> int | None:
        """How many natural clients, from the first on, stand for all where not all can be drawn; None for all."""
        return None

    def take(self, rows: Rows) -> tuple[Array, Array]:
        """The features [n, ...] and the labels or targets of some training examples, by their numbers [n]."""
        return self.x[rows], self.y[rows]

    def labels(self, rows: Rows) -> Array:
        """The labels or targets of some training examples, by their numbers [n]."""
        return self.y[rows]

    @property
    def example(self) -> tuple[Array, Array]:
        """The features [1, ...] and the label or targets of the first training example, with the shape of all."""
        return self.x[:1], self.y[:1]

    @property
    def has_public_test(self) -> bool:
        """Whether the test set holds no rows of clients, so that figures on it say nothing of them but the model."""
        return self.client_ids is None if self.test_is_public is None else self.test_is_public

    def __post_init__(self) -> None:
        if self.task not in ("classification", "regression"):
            raise DataError(f"task is {self.task!r}; expected 'classification' or 'regression'.")
        check = _labels if self.task == "classification" else _targets
        checked = {
            "x": _features(self.x, "x"),
            "x_test": _features(self.x_test, "x_test"),
            "y": check(self.y, "y", self.num_outputs),
            "y_test": check(self.y_test, "y_test", self.num_outputs),
            "client_ids": self.client_ids if self.client_ids is None else _clients(self.client_ids),
        }
        # A frozen dataclass sets its own fields this way; the checks return converted arrays.
        for field, value in checked.items():
            object.__setattr__(self, field, value)
        _check_lengths(self)


def hold_out(
    num_examples: int, fraction: float, *, rng: np.random.Generator, groups: Array | None = None
) -> tuple[Rows, Rows]:
    """Choose a test split: the same share of every group, which keeps at least one training example.

    Args:
        num_examples: rows to choose from, N.
        fraction: share of the rows that become test examples, in (0, 1).
        rng: decides which rows.
        groups: label or client of each row, shape [N]; None treats all rows as one group.

    Returns:
        The training rows and the test rows, each ascending.

    Raises:
        ConfigError: if the fraction is outside its range or leaves no test example.
    """
    if not 0 < fraction < 1:
        raise ConfigError(
            f"test_fraction is {fraction}; expected a number between 0 and 1, both excluded.",
            key="test_fraction",
        )
    shuffled = rng.permutation(num_examples)
    if groups is not None:
        shuffled = shuffled[np.argsort(groups[shuffled], kind="stable")]
    # The first row of every group always stays for training.
    is_first = np.arange(num_examples) == 0
    if groups is not None:
        is_first[1:] = groups[shuffled[1:]] != groups[shuffled[:-1]]
    eligible = shuffled[~is_first]
    wanted = min(round(fraction * num_examples), len(eligible))
    if wanted == 0:
        raise ConfigError(
            f"test_fraction is {fraction}, which leaves no test example of {num_examples}.",
            key="test_fraction",
            hint="Use more examples or a larger test_fraction; every client or class keeps one for training.",
        )
    # The rows are in order of their groups, and evenly spaced ones are chosen, so each group's share is exact to
    # within one.
    chosen = np.diff(np.arange(len(eligible) + 1) * wanted // len(eligible)) > 0
    is_test = np.zeros(num_examples, bool)
    is_test[eligible[chosen]] = True
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def _features(x: Array, name: str) -> Array:
    x = np.asarray(x)
    if x.dtype.kind not in "buif":
        raise DataError(
            f"{name} has the type {x.dtype}; expected numbers.", hint="Convert texts to numbers first."
        )
    if x.ndim < 2 or 0 in x.shape:
        raise DataError(
            f"{name} has the shape {list(x.shape)}; expected [examples, features...], all of them above 0."
        )
    row = _first_not_finite(x)
    if row is not None:
        raise DataError(
            f"row {row} of {name} holds NaN, Inf or a number beyond float32; expected finite numbers.",
            hint="Fill in or drop missing values before fedcli reads them.",
        )
    return x


def _labels(y: Array, name: str, num_classes: int) -> Array:
    y = np.asarray(y)
    if y.ndim != 1:
        raise DataError(f"{name} has the shape {list(y.shape)}; expected one label for each example.")
    if y.dtype.kind not in "bui":
        raise DataError(
            f"{name} has the type {y.dtype}; expected class numbers, as integers.",
            hint="Set task: regression if these are targets.",
        )
    if num_classes < 2:
        raise DataError(f"num_outputs is {num_classes}; expected at least 2 classes.")
    if len(y) and not (y.min() >= 0 and y.max() < num_classes):
        raise DataError(f"{name} holds labels {y.min()} to {y.max()}; expected 0 to {num_classes - 1}.")
    # One type for all datasets, because the compiled program is traced for it.
    return y.astype(np.int64)


def _targets(y: Array, name: str, num_targets: int) -> Array:
    y = np.asarray(y)
    if y.dtype.kind not in "buif":
        raise DataError(f"{name} has the type {y.dtype}; expected targets, as numbers.")
    width = y.shape[1] if y.ndim == 2 else 1
    if y.ndim not in (1, 2) or width != num_targets:
        wanted = "[examples] or [examples, 1]" if num_targets == 1 else f"[examples, {num_targets}]"
        raise DataError(f"{name} has the shape {list(y.shape)}; expected {wanted}.")
    row = _first_not_finite(y)
    if row is not None:
        raise DataError(
            f"row {row} of {name} holds NaN, Inf or a number beyond float32; expected finite targets."
        )
    return y.astype(np.float32)


def _clients(client_ids: Array) -> Array:
    ids = np.asarray(client_ids)
    if ids.ndim != 1 or ids.dtype.kind not in "ui":
        raise DataError(
            f"client_ids is {ids.dtype} {list(ids.shape)}; expected one integer for each example."
        )
    # Counted and not sorted, which takes seconds for millions; beyond the number of examples there are gaps.
    if len(ids) and (ids.min() < 0 or ids.max() >= len(ids) or not np.bincount(ids.astype(np.int64)).all()):
        raise DataError(
            "client_ids has gaps; expected 0 to K-1, each at least once.",
            hint="np.unique(ids, return_inverse=True)[1] gives such numbers.",
        )
    return ids.astype(np.int64)


def _check_lengths(dataset: Dataset) -> None:
    pairs = [("x", dataset.x, "y", dataset.y), ("x_test", dataset.x_test, "y_test", dataset.y_test)]
    if dataset.client_ids is not None:
        pairs.append(("x", dataset.x, "client_ids", dataset.client_ids))
    for first_name, first, second_name, second in pairs:
        if len(first) != len(second):
            raise DataError(
                f"{first_name} has {len(first):,} examples and {second_name} has {len(second):,}; "
                "expected equal numbers."
            )
    if dataset.x.shape[1:] != dataset.x_test.shape[1:]:
        raise DataError(
            f"An example of x has the shape {list(dataset.x.shape[1:])} and an example of x_test "
            f"{list(dataset.x_test.shape[1:])}; expected the same shape."
        )
    if dataset.y.shape[1:] != dataset.y_test.shape[1:]:
        raise DataError(
            f"y has the shape {list(dataset.y.shape)} and y_test {list(dataset.y_test.shape)}; "
            "expected the same number of targets."
        )
    _check_names(dataset)


def _check_names(dataset: Dataset) -> None:
    named = dataset.class_names
    if named is not None and len(named) != dataset.num_outputs:
        raise DataError(
            f"class_names has {len(named):,} names for {dataset.num_outputs:,} classes; expected one for each class."
        )
    if dataset.client_names is None:
        return
    num_clients = 0 if dataset.client_ids is None else int(dataset.client_ids.max()) + 1
    if len(dataset.client_names) != num_clients:
        raise DataError(
            f"client_names has {len(dataset.client_names):,} names for {num_clients:,} clients; "
            "expected one name for each client."
        )


def _first_not_finite(values: Array) -> int | None:
    if values.dtype.kind != "f":
        return None
    for start in range(0, len(values), CHUNK_ROWS):
        with np.errstate(over="ignore"):
            # A float64 beyond float32 would become Inf in the model.
            chunk = values[start : start + CHUNK_ROWS].astype(np.float32)
        finite = np.isfinite(chunk).reshape(len(chunk), -1).all(axis=1)
        if not finite.all():
            return start + int(np.argmin(finite))
    return None
