"""Large arrays of an .npz file that are mapped into memory: the system reads the rows that somebody asks for."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from fedcli.components.data.dataset import Array

LEAST_BYTES = 2**26
"""Smaller arrays are read: a copy of their own is faster, and does not follow a file that is changed."""
# Of the header of a member in the archive itself; the lengths of its name and its extra field end it.
_LOCAL_HEADER, _LENGTHS = 30, slice(26, 30)


def mapped_arrays(file: Path, *, least_bytes: int = LEAST_BYTES) -> dict[str, Array]:
    """The arrays of an .npz file that are large and are stored without compression, read-only.

    Args:
        file: the archive.
        least_bytes: size from which an array is mapped.

    Raises:
        OSError, ValueError, zipfile.BadZipFile: if it is not an archive of arrays.
    """
    found = {}
    with zipfile.ZipFile(file) as archive, file.open("rb") as raw:
        for member in archive.infolist():
            is_stored = member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & 1
            if not is_stored or member.file_size < least_bytes or not member.filename.endswith(".npy"):
                continue
            raw.seek(member.header_offset)
            header = raw.read(_LOCAL_HEADER)
            name, extra = np.frombuffer(header[_LENGTHS], "<u2").tolist()
            start = member.header_offset + _LOCAL_HEADER + name + extra
            array = _mapped(file, raw_start=start, size=member.file_size)
            if array is not None:
                found[member.filename.removesuffix(".npy")] = array
    return found


def _mapped(file: Path, *, raw_start: int, size: int) -> Array | None:
    with file.open("rb") as raw:
        raw.seek(raw_start)
        version = np.lib.format.read_magic(raw)
        if version not in ((1, 0), (2, 0)):
            return None
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, by_columns, dtype = read(raw)
        # Objects are refused where the other arrays are read; rows of an array by columns are all over the file.
        if dtype.hasobject or by_columns:
            return None
        begin = raw.tell()
    if begin - raw_start + dtype.itemsize * int(np.prod(shape)) != size:
        raise ValueError("an array has another size than its header says")
    return np.memmap(file, dtype, "r", begin, shape)
