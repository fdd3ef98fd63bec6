"""New rows for the model of a run, read from a table, from arrays or from images as the run reads its own data."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fedcli.components.data import InputColumn
from fedcli.components.data.datasets.csv import features_of
from fedcli.components.data.datasets.image_folder import read_image_folder
from fedcli.components.data.datasets.npz import read_arrays
from fedcli.components.data.datasets.tables import MISSING, read_table
from fedcli.core.errors import DataError
from fedcli.core.types import Array
from fedcli.runs.model_interface import ModelInterface, RawRows


class NewRows(NamedTuple):
    """Rows before preprocessing.

    Args:
        x: the features, shape [N, ...].
        label: of the column that names the rows: `line` of a table, `row` of arrays, `file` of images.
        names: of the rows.
        known: what is to be predicted, where the file has it, as texts or numbers [N]; None where it does not.
        notes: sentences on what was left out or changed.
    """

    x: Array
    label: str
    names: Sequence[int | str]
    known: Sequence[str] | None = None
    notes: tuple[str, ...] = ()


def read_rows(file: Path | Array, interface: ModelInterface) -> NewRows:
    """The rows of a csv, of an .npz, of a folder of images, or of an array.

    Args:
        file: the file or the folder; or raw examples [N, ...].
        interface: what the model's inputs mean.

    Raises:
        DataError: if the file cannot be read, or does not have what the model needs.
    """
    if isinstance(file, np.ndarray):
        x = file if interface.rows is None else _fitting(file, interface.rows, "the array")
        return NewRows(x, "row", range(len(x)))
    if file.is_dir():
        return _images(file, interface.rows)
    if file.suffix.lower() == ".npz":
        return _arrays(file, interface.rows)
    if not file.is_file():
        raise DataError(
            f"there is no file {file.absolute()}.", hint="Give a csv, an .npz or a folder of images."
        )
    if interface.columns is None:
        raise DataError(
            f"the run was not trained on a table, so that nothing says which columns of {file} its model needs.",
            hint="Give an .npz with an array x, or a folder of images.",
        )
    return _table(file, interface, [InputColumn(each.name, each.categories) for each in interface.columns])


def _table(file: Path, interface: ModelInterface, columns: Sequence[InputColumn]) -> NewRows:
    table = read_table(file)
    missing = [each.name for each in columns if each.name not in table.columns]
    if missing:
        needed = {each.name for each in columns}
        others = [name for name in table.columns if name not in needed]
        close = difflib.get_close_matches(missing[0], others, n=1)
        raise DataError(
            f"{file} lacks {_listed(missing)}, of which the run's model needs every one; it has "
            f"{', '.join(table.columns)}.",
            hint=f"Is {close[0]!r} that column? Rename it." if close else "Columns are found by their names.",
        )
    names = {each.name for each in columns}
    extra = [name for name in table.columns if name not in names and name != interface.target]
    known = table.columns.get(interface.target) if interface.target else None
    # New rows often have an empty column in its place.
    is_known = known is not None and not any(text.lower() in MISSING for text in known)
    return NewRows(
        features_of(table, columns),
        "line",
        table.lines,
        known if is_known else None,
        (f"Ignored {_listed(extra)}: the model was not trained on it.",) if extra else (),
    )


def _arrays(file: Path, rows: RawRows | None) -> NewRows:
    arrays = read_arrays(file)
    found = next((name for name in ("x", "x_test") if name in arrays), None)
    if found is None:
        raise DataError(
            f"{file} holds {', '.join(sorted(arrays)) or 'nothing'}; an array x is expected.",
            hint="Save it with np.savez(path, x=...).",
        )
    x = arrays[found]
    if rows is not None:
        x = _fitting(x, rows, f"{found} of {file}")
    y = arrays.get("y" if found == "x" else "y_test")
    known = [str(each) for each in y.tolist()] if y is not None and y.shape == (len(x),) else None
    return NewRows(x, "row", range(len(x)), known)


def _fitting(x: Array, rows: RawRows, what: str) -> Array:
    """The rows in the type that the run's own have, by which preprocessing tells images from measurements."""
    # A column of grey values may be left out, as many tools do.
    if rows.shape[-1:] == (1,) and x.shape[1:] == rows.shape[:-1]:
        x = x[..., np.newaxis]
    if x.ndim < 2 or x.shape[1:] != rows.shape:
        raise DataError(
            f"an example of {what} has the shape {list(x.shape[1:])}; the run's have {list(rows.shape)}."
        )
    if not len(x):
        raise DataError(f"{what} has no examples.")
    if x.dtype.kind not in "buif" or not np.isfinite(x).all():
        raise DataError(f"{what} holds NaN, Inf or what is not a number; finite numbers are expected.")
    wanted = np.dtype(rows.dtype)
    with np.errstate(all="ignore"):
        same = x.astype(wanted)
    if wanted.kind in "bui" and not np.array_equal(same, x):
        raise DataError(
            f"{what} is {x.dtype} with values that {wanted} does not hold; the run's examples are {wanted}.",
            hint="Give the raw values, before any scaling.",
        )
    return same


def _images(folder: Path, rows: RawRows | None) -> NewRows:
    if rows is None or len(rows.shape) != 3 or rows.shape[2] not in (1, 3):
        raise DataError(f"the run was not trained on images, so that its model takes none from {folder}.")
    height, width, channels = rows.shape
    x, files, resized = read_image_folder(folder, (height, width, channels))
    size = f"{width}x{height}"
    notes = (f"Resized {resized:,} of {len(files):,} images to {size}, the size that the model takes.",)
    return NewRows(x.astype(rows.dtype), "file", files, notes=notes if resized else ())


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in itertools.islice(names, 10))
    more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    return f"the column{'s' if len(names) > 1 else ''} {shown}{more}"
