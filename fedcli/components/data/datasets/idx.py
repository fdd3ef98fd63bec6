"""Reader of IDX files, the format of MNIST: a magic number, the dimensions, the bytes."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fedcli.components.data.dataset import Array
from fedcli.components.data.datasets.images import Images
from fedcli.components.data.datasets.mapped_npz import LEAST_BYTES
from fedcli.core.errors import DataError

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
UNSIGNED_BYTE = 0x08


def read_idx_folder(folder: Path) -> Images | None:
    """The four files of a folder, each raw or .gz; None if one is absent.

    Raises:
        DataError: if a file is not IDX or is cut short.
    """
    pairs = ((folder / name, folder / f"{name}.gz") for name in IDX_FILES)
    files = [next((file for file in pair if file.is_file()), None) for pair in pairs]
    if None in files:
        return None
    return Images(*(read_idx(file) for file in files if file is not None))


def read_idx(path: Path) -> Array:
    """The uint8 array of one IDX file, raw or .gz. One of 64 MiB or more that is not packed is mapped.

    Raises:
        DataError: if it is not an IDX file of unsigned bytes, or has fewer or more bytes than its header says.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _read(file, path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read: {error}.", key="path", hint="Download the file again."
        ) from error


def _read(file: BinaryIO | gzip.GzipFile, path: Path) -> Array:
    magic = file.read(4)
    if len(magic) < 4 or magic[:3] != bytes([0, 0, UNSIGNED_BYTE]) or not 1 <= magic[3] <= 4:
        raise DataError(
            f"{path} begins with {magic.hex() or 'nothing'}; expected an IDX file of unsigned bytes.",
            key="path",
        )
    num_dimensions = magic[3]
    header = file.read(4 * num_dimensions)
    if len(header) < 4 * num_dimensions:
        raise DataError(f"{path} ends inside its header.", key="path", hint="Download the file again.")
    shape = struct.unpack(f">{num_dimensions}I", header)
    expected, begin = math.prod(shape), 4 * (1 + num_dimensions)
    # One that has another size is read, and told with what it has.
    if not isinstance(file, gzip.GzipFile) and LEAST_BYTES <= expected == path.stat().st_size - begin:
        return np.memmap(path, np.uint8, "r", begin, shape)
    # One byte more than announced is enough to notice a surplus; a packed file could be of any size.
    payload = file.read(expected + 1)
    if len(payload) != expected:
        received = "more" if len(payload) > expected else f"{len(payload):,}"
        raise DataError(
            f"{path} has {received} bytes; expected {expected:,} by its header.",
            key="path",
            hint="Download the file again.",
        )
    return np.frombuffer(payload, np.uint8).reshape(shape)
