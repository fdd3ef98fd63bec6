"""Named arrays as `.npz` files. Equal arrays make equal files, and nothing is unpickled.

An `.npz` of a run directory is read as strictly as it is written: members are stored and not compressed, each has one
name, and its header must describe exactly the bytes that follow it. So an archive takes as much memory as it has bytes.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
import numpy.typing as npt

from fedcli.core import trees
from fedcli.core.errors import RunError
from fedcli.store.files import guarded, limits
from fedcli.store.files.guarded import FileRefused

Arrays = Mapping[str, npt.NDArray[Any]]

UNREADABLE = "cannot be read as an .npz of plain arrays"
"""The end of a sentence that begins with the file."""

_SUFFIX = ".npy"
# Bytes of a member's headers in the archive, and of its array's header, without the name.
_MOST_HEADERS = 512
_MOST_MEMBERS = 1 << 16
# An entry of the list at the end of an archive begins with these bytes.
_ENTRY = b"PK\x01\x02"
_ENCRYPTED = 1
# Booleans, integers, floats, complex numbers, and texts of fixed length.
_KINDS = "biufcSU"
_MOST_AXES = 32
_MAGIC = b"\x93NUMPY\x01\x00"
# Not `ast.literal_eval`, by which NumPy reads it: of whatever else Python could read here, nothing is written.
_HEADER = re.compile(
    rb"\{'descr': '(?P<type>[<|][a-zA-Z][0-9]{1,9})', 'fortran_order': (?P<columns>True|False), "
    rb"'shape': \((?P<shape>|[0-9]{1,19},|[0-9]{1,19}(, [0-9]{1,19})+)\), \} *\n"
)


def to_bytes(arrays: Arrays) -> bytes:
    """`arrays` as the content of an `.npz`; raises as `writer` does."""
    buffer = BytesIO()
    writer(arrays)(buffer)
    return buffer.getvalue()


def writer(arrays: Arrays) -> Callable[[BinaryIO], None]:
    """The function that writes `arrays` as an `.npz` to an open file, without a copy of them all in memory.

    Raises:
        RunError: if one of them could only be pickled, is of a type that is not read again, or all are too large.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise RunError(f"{name} holds Python objects; a run directory keeps plain arrays only.")
        if not _is_plain(array.dtype):
            raise RunError(f"{name} is of type {array.dtype}; a run directory keeps numbers and texts only.")
    size = sum(array.nbytes + _MOST_HEADERS + 3 * len(name) for name, array in arrays.items())
    if size > limits.BINARY:
        raise RunError(
            f"{size:,} bytes of arrays are more than a file of a run directory may have ({limits.BINARY:,})."
        )
    return partial(_write, arrays)


def _write(arrays: Arrays, file: BinaryIO) -> None:
    with ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            # `open` gives every member the same date, so that bytes are equal. With `force_zip64`, which a file of this
            # size does not need, they would depend on the version of Python.
            with archive.open(f"{name}{_SUFFIX}", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def from_bytes(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """The arrays that `to_bytes` made the content of.

    Raises:
        ValueError: if `to_bytes` does not write such an archive; the message says why.
    """
    # Before the list of members is read, which would take twenty times its size in memory.
    if content.count(_ENTRY) > _MOST_MEMBERS:
        raise ValueError(f"it has more than {_MOST_MEMBERS:,} members")
    try:
        with ZipFile(BytesIO(content)) as archive:
            members = archive.infolist()
            _require_stored(members, len(content))
            return {
                member.filename.removesuffix(_SUFFIX): _array(member.filename, _stored(member, content))
                for member in members
            }
    except (BadZipFile, EOFError, OSError, RuntimeError, LookupError, OverflowError, zlib.error) as error:
        raise ValueError(f"it is not a whole archive: {error}") from None


def tree_from_bytes(content: bytes) -> dict[str, Any]:
    """The tree whose table `to_bytes` made the content of; raises as `from_bytes` does."""
    return trees.from_table(from_bytes(content))


def read_tree(path: Path, *, below: Path) -> dict[str, Any]:
    """The tree in a file of a run directory that nothing binds.

    Raises:
        FileRefused: if the file is missing, or `to_bytes` does not write such a file.
    """
    try:
        return tree_from_bytes(guarded.read_bytes(path, below=below, limit=limits.BINARY))
    except ValueError as error:
        raise FileRefused(path, f"{UNREADABLE}: {error}") from None


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an `.npz` of the user's own, which other programs may have written, compressed or not.

    Raises:
        RunError: if the file is missing, or is not an `.npz` of plain arrays.
    """
    # The user may name a link. The file behind it is still a file, or nothing is read.
    target = path.resolve()
    with guarded.opened(target, below=target.parent, limit=limits.BINARY) as file:
        try:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("it is a single array, an .npy")
            return dict(archive)
        except (OSError, ValueError, EOFError, RuntimeError, BadZipFile, zlib.error) as error:
            raise RunError(f"{path} {UNREADABLE}: {error}.") from None


def _require_stored(members: list[ZipInfo], size: int) -> None:
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise ValueError("it has two members of one name")
    for member in members:
        if not member.filename.endswith(_SUFFIX):
            raise ValueError(f"it has the member {member.filename[:40]!r}, which is not an array")
        if member.compress_type != ZIP_STORED or member.flag_bits & _ENCRYPTED:
            raise ValueError(f"its member {member.filename[:40]!r} is compressed or encrypted")
        if member.file_size != member.compress_size:
            raise ValueError(f"its member {member.filename[:40]!r} has two sizes")
    # Members that overlap would be read again and again.
    if sum(member.file_size for member in members) > size:
        raise ValueError("its members are larger than the archive")


def _stored(member: ZipInfo, content: bytes) -> memoryview:
    """The bytes of a member, which are not copied."""
    start, name = member.header_offset, member.filename.encode()
    lengths = content[start + 26 : start + 30]
    # The local header has the name again, and fields of its own length.
    first = start + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
    data = memoryview(content)[first : first + member.file_size]
    if content[start : start + 4] != b"PK\x03\x04" or content[start + 30 : start + 30 + len(name)] != name:
        raise ValueError(f"its member {member.filename[:40]!r} is not where it should be")
    if len(data) != member.file_size or zlib.crc32(data) != member.CRC:
        raise ValueError(
            f"its member {member.filename[:40]!r} does not have the checksum that the archive names"
        )
    return data


def _array(name: str, content: memoryview) -> npt.NDArray[Any]:
    """An array from the content of an .npy, as NumPy's `write_array` writes it in format 1.0."""
    length = int.from_bytes(content[8:10], "little")
    said = _HEADER.fullmatch(content, 10, 10 + length)
    if content[:8] != _MAGIC or said is None:
        raise ValueError(f"its member {name[:40]!r} does not begin as an array")
    try:
        dtype = np.dtype(said["type"].decode())
    except (TypeError, ValueError):
        raise ValueError(f"its member {name[:40]!r} is of an unknown type") from None
    shape = tuple(int(axis) for axis in said["shape"].replace(b",", b" ").split())
    data = content[10 + length :]
    # In Python's integers, which do not overflow, and before anything of that size is made.
    if not _is_plain(dtype) or len(shape) > _MOST_AXES or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(
            f"its member {name[:40]!r} has {len(data):,} bytes, which are not an array of {dtype} and the "
            f"shape {str(shape)[:60]}"
        )
    # Copied, because arrays that are read may be changed, and bytes may not.
    flat = np.frombuffer(data, dtype).copy()
    try:
        return flat.reshape(shape, order="F" if said["columns"] == b"True" else "C")
    # An array without a value may still have axes that are too long.
    except (ValueError, OverflowError):
        raise ValueError(f"its member {name[:40]!r} is not an array that can be made") from None


def _is_plain(dtype: np.dtype[Any]) -> bool:
    is_known = dtype.kind in _KINDS and dtype.names is None and dtype.subdtype is None
    return is_known and dtype.itemsize > 0 and dtype.byteorder in "<|="
