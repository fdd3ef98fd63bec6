"""Named arrays as `.npz` files. Equal arrays make equal files, and nothing is unpickled."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import RunError

Arrays = Mapping[str, npt.NDArray[Any]]


def to_bytes(arrays: Arrays) -> bytes:
    """`arrays` as the content of an `.npz`.

    Raises:
        RunError: if one of them could only be pickled.
    """
    buffer = BytesIO()
    # Not np.savez: it refuses an array named "file", and would pickle objects.
    with ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            if array.dtype.hasobject:
                raise RunError(f"{name} holds Python objects; a run directory keeps plain arrays only.")
            # The size is not known yet and may pass 2 GiB. `open` gives every member the same date, so bytes are equal.
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return buffer.getvalue()


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an `.npz`.

    Raises:
        RunError: if the file is missing, or is not an `.npz` of plain arrays.
    """
    try:
        # NumPy does not close a file that it opened and could not read.
        with path.open("rb") as file:
            return _read(file)
    except (OSError, ValueError, EOFError, RuntimeError, BadZipFile, zlib.error) as error:
        raise RunError(f"{path} cannot be read as an .npz of plain arrays: {error}.") from None


def from_bytes(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """The arrays that `to_bytes` made the content of."""
    return _read(BytesIO(content))


def _read(file: IO[bytes]) -> dict[str, npt.NDArray[Any]]:
    archive = np.load(file, allow_pickle=False)
    if isinstance(archive, np.ndarray):
        raise ValueError("it is a single array, an .npy")
    return dict(archive)
