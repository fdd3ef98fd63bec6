"""Arrays in an .npz file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fedcli.components.data.dataset import Array, Dataset, ReadFromExamples, Task, hold_out
from fedcli.components.data.datasets.columns import encode_array
from fedcli.components.data.datasets.mapped_npz import mapped_arrays
from fedcli.core.errors import ConfigError, DataError
from fedcli.core.seeds import SERVER, generator

HINT = "Save it with np.savez(path, x=..., y=...) or with x_train, y_train, x_test and y_test."


class _Arrays(NamedTuple):
    x: Array
    y: Array
    client: Array | None
    x_test: Array | None
    y_test: Array | None


def npz(
    seed: int,
    *,
    path: str,
    classes: int | tuple[str, ...] | None = None,
    task: Task = "classification",
    test_fraction: float = 0.2,
) -> Dataset:
    """Arrays of an .npz file: x_train, y_train, x_test and y_test; or x and y, with a part held out as test set.

    An array `client` (one text or integer for each training example) names the clients for the partition
    natural. Labels are integers 0..C-1, or texts, which are numbered in sorted order, or in the order in which they
    are declared. A private run needs classes declared, because one example with a class of its own would change the
    shape of the model.

    Large arrays that np.savez wrote, without compression, are mapped: a row is read from the file when its client is
    asked for. The file must not be changed while a run reads it. Where a test set is held out, x and y are copied.

    Args:
        seed: decides the test examples if the file has none.
        path: the file. Nothing in it is unpickled.
        classes: C for labels that are integers, all texts that may occur for labels that are texts; null to take
            them from the labels.
        task: "classification" if `y` holds labels, "regression" if it holds targets [N] or [N, T].
        test_fraction: share of every client's or class's examples that is held out, in (0, 1).

    Raises:
        DataError: if the file or a key is absent, or an array has the wrong form.

    Example: path='scans.npz', classes=2
    """
    file = Path(path).expanduser()
    arrays = _select(read_arrays(file), file)
    try:
        return _dataset(arrays, task, classes, seed=seed, test_fraction=test_fraction)
    except DataError as error:
        raise DataError(f"{file}: {error.message}", key=error.key or "path", hint=error.hint) from error


def read_arrays(file: Path) -> dict[str, Array]:
    """All arrays of an .npz file, without unpickling.

    Raises:
        DataError: if it is absent, is not an .npz file, or holds Python objects.
    """
    if not file.is_file():
        raise DataError(
            f"There is no file {file.absolute()}.",
            key="path",
            hint="Relative paths start at the working directory.",
        )
    try:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise ValueError("it is a single array and not an archive of named arrays.")
        with loaded as archive:
            mapped = mapped_arrays(file)
            return {key: mapped[key] if key in mapped else archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{file} cannot be read as .npz: {error}", key="path", hint=HINT) from error


def _select(arrays: Mapping[str, Array], file: Path) -> _Arrays:
    for keys in (("x_train", "y_train", "x_test", "y_test"), ("x", "y")):
        if all(key in arrays for key in keys):
            x, y, *test = (arrays[key] for key in keys)
            return _Arrays(x, y, arrays.get("client"), *(test or (None, None)))
    raise DataError(
        f"{file} holds {', '.join(sorted(arrays)) or 'nothing'}; expected x_train, y_train, x_test and y_test, "
        "or x and y.",
        key="path",
        hint=HINT,
    )


def _dataset(
    arrays: _Arrays,
    task: Task,
    classes: int | tuple[str, ...] | None,
    *,
    seed: int,
    test_fraction: float,
) -> Dataset:
    x, y, client, x_test, y_test = arrays
    _check_alike(x, y, client)
    class_names: tuple[str, ...] | None = None
    if task == "classification":
        y, y_test, class_names = _as_labels(y, y_test, classes)
    elif classes is not None:
        raise ConfigError("a regression has no classes.", key="classes", hint="Leave classes out.")
    ids, names = (None, None) if client is None else encode_array(client)
    if x_test is None or y_test is None:
        # By client if there are clients, so that each of them keeps training examples.
        groups = ids if ids is not None else y if task == "classification" else None
        train, test = hold_out(
            len(y), test_fraction, rng=generator(seed, 0, SERVER, "data/npz"), groups=groups
        )
        x, y, x_test, y_test = x[train], y[train], x[test], y[test]
        ids = ids if ids is None else ids[train]
    num_targets = y.shape[1] if y.ndim == 2 else 1
    is_open = task == "classification" and classes is None
    if isinstance(classes, int):
        # Labels beyond it are refused by the dataset, with their range.
        num_outputs = classes
    elif classes is not None:
        num_outputs = len(classes)
    else:
        num_outputs = _num_classes(y, y_test) if is_open else num_targets
    read = ReadFromExamples("classes", "the classes of y", str(num_outputs))
    return Dataset(
        x,
        y,
        x_test,
        y_test,
        task=task,
        num_outputs=num_outputs,
        client_ids=ids,
        client_names=names,
        read_from_examples=(read,) if is_open else (),
        class_names=class_names,
    )


def _check_alike(x: Array, y: Array, client: Array | None) -> None:
    for name, values in (("y", y), ("client", client)):
        if values is not None and (values.ndim == 0 or x.ndim == 0 or len(values) != len(x) or not len(x)):
            raise DataError(
                f"x has the shape {list(x.shape)} and {name} has {list(values.shape)}; "
                "expected equally many examples."
            )
    if client is not None and (client.ndim != 1 or client.dtype.kind not in "uiU"):
        raise DataError(
            f"client is {client.dtype} {list(client.shape)}; expected one text or integer for each example."
        )


def _as_labels(
    y: Array, y_test: Array | None, classes: int | tuple[str, ...] | None
) -> tuple[Array, Array | None, tuple[str, ...] | None]:
    # A column [N, 1] is taken for labels [N]: many tools save them that way.
    both = [
        part[:, 0] if part.ndim == 2 and part.shape[1] == 1 else part
        for part in (y, y_test)
        if part is not None
    ]
    if any(part.ndim != 1 for part in both):
        raise DataError(
            f"y has the shape {list(y.shape)}; expected one label for each example.",
            hint="Save labels instead of one-hot rows: y.argmax(axis=1).",
        )
    is_text, names = both[0].dtype.kind == "U", None
    if classes is not None and is_text == isinstance(classes, int):
        raise ConfigError(
            f"y holds {'texts' if is_text else 'integers'}; classes is {classes!r}.",
            key="classes",
            hint="Declare texts as a list of them, and integers by how many classes there are.",
        )
    if is_text:
        # Numbered together, so that a class has the same number in both parts.
        try:
            declared = None if isinstance(classes, int) else classes
            codes, names = encode_array(np.concatenate(both), declared)
        except KeyError as error:
            raise DataError(
                f"y holds {error.args[0]!r}, which classes does not declare.",
                key="classes",
                hint="Declare it.",
            ) from error
        both = np.split(codes, [len(both[0])])
    elif any(part.dtype.kind not in "bui" for part in both):
        raise DataError(
            f"y has the type {both[0].dtype}; expected classes, as integers or texts.",
            hint="Set task: regression if these are targets.",
        )
    return both[0], both[1] if y_test is not None else None, names


def _num_classes(y: Array, y_test: Array) -> int:
    smallest = int(min(y.min(initial=0), y_test.min(initial=0)))
    largest = int(max(y.max(initial=0), y_test.max(initial=0)))
    # More classes than examples are a mistake, such as years or ids as labels, and would make a huge model.
    if smallest < 0 or largest >= max(1000, len(y)):
        raise DataError(
            f"The labels of {len(y):,} examples are {smallest:,} to {largest:,}; expected classes from 0 on.",
            hint="np.unique(y, return_inverse=True)[1] gives such numbers.",
        )
    return largest + 1
