"""Reader of CIFAR-10 and CIFAR-100, in the "binary" and the "python" version."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fedcli.components.data.dataset import Array
from fedcli.components.data.datasets.images import Images
from fedcli.core.errors import DataError

IMAGE_BYTES = 3 * 32 * 32
HARMLESS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
"""The names that a pickled CIFAR batch needs; any other name in such a file could run code."""


class CifarFiles(NamedTuple):
    """Where a version's files are and where a record's label is.

    Attributes:
        folders: folders to look in, relative to the given one.
        train: names of the training files, without ".bin".
        test: name of the test file, without ".bin".
        label_bytes: labels at the start of a binary record; the last one is the class.
        label_key: key of the class labels in the python version.
    """

    folders: Sequence[str]
    train: Sequence[str]
    test: str
    label_bytes: int
    label_key: bytes


def read_cifar(place: Path, files: CifarFiles) -> Images | None:
    """Training and test images of the first folder that has all files; None if no folder has.

    Raises:
        DataError: if a file is damaged.
    """
    for folder in files.folders:
        for suffix, read in ((".bin", _read_binary), ("", _read_pickled)):
            train = [place / folder / (name + suffix) for name in files.train]
            test = place / folder / (files.test + suffix)
            if all(file.is_file() for file in (*train, test)):
                parts = [read(file, files) for file in train]
                x, y = (np.concatenate(part) for part in zip(*parts, strict=True))
                return Images(x, y, *read(test, files))
    return None


def _read_binary(file: Path, files: CifarFiles) -> tuple[Array, Array]:
    record = files.label_bytes + IMAGE_BYTES
    content = np.fromfile(file, np.uint8)
    if not len(content) or len(content) % record:
        raise DataError(f"{file} has {len(content):,} bytes; expected records of {record:,}.", key="path")
    records = content.reshape(-1, record)
    return _channels_last(records[:, files.label_bytes :]), records[:, files.label_bytes - 1].astype(np.int64)


def _read_pickled(file: Path, files: CifarFiles) -> tuple[Array, Array]:
    try:
        with file.open("rb") as stream:
            # Python 2 wrote these files; its texts are the bytes of Python 3.
            batch = _ArraysOnly(stream, encoding="bytes").load()
        x = np.asarray(batch[b"data"], np.uint8).reshape(-1, IMAGE_BYTES)
        return _channels_last(x), np.asarray(batch[files.label_key], np.int64)
    except Exception as error:  # a damaged pickle can raise any error
        raise DataError(
            f"{file} is not a CIFAR batch: {error}.", key="path", hint="Download the file again."
        ) from error


def _channels_last(rows: Array) -> Array:
    # Records hold all red values, then all green, then all blue; Keras expects [height, width, channels].
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


class _ArraysOnly(pickle.Unpickler):
    """Reads the dictionaries of arrays in which CIFAR is distributed, and runs no other code."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in HARMLESS:
            raise pickle.UnpicklingError(
                f"it refers to {module_name}.{global_name}, which images do not need"
            )
        return super().find_class(module_name, global_name)
