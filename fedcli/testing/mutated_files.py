"""Files of a run directory that are damaged at random: bytes, JSON, arrays and the config."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from fedcli.store import checkpoints, directory
from fedcli.store.files import manifests

Change: TypeAlias = Callable[[Path, Path, np.random.Generator], None]
"""`change(path, outside, rng)`: what is outside the run directory must stay as it is."""

# Values that a program may not expect where a run has a number, a text or an array.
_VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 10, 10.0, 1.5, 1e308, 10**18, 2**63, 10**400, 999_999_999, "", "x" * 1000, "../../x",
    "\ud800", "\x1b[31m", "os:abort", [], {}, [[[]]], {"a": {"a": 1}}, [0] * 1000,
)  # fmt: skip  # fmt: skip
_TYPES = ("<f4", "<f8", "<i8", "<u1", "|b1", "<c8", "<U4", "<f2", "|V3", "<M8[s]", ">f4", "|S2")
_LARGEST = 1 << 24


def is_plain(path: Path) -> bool:
    """Whether a change may read a file: a pipe would wait for ever, and a sparse file fill the memory."""
    return path.is_file() and not path.is_symlink() and path.stat().st_size < _LARGEST


def required(path: Path) -> Path:
    """The same path, if a change may read the file; raises a ValueError otherwise."""
    if not is_plain(path):
        raise ValueError(f"{path} is not read")
    return path


def _flipped(path: Path, _outside: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.integers(1, 4)):
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
    path.write_bytes(content)


def _cut(path: Path, _outside: Path, rng: np.random.Generator) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.integers(len(content) + 1)])


def _grown(path: Path, _outside: Path, rng: np.random.Generator) -> None:
    content = path.read_bytes()
    start = rng.integers(len(content))
    path.write_bytes(content + (content[start:], b"\0" * 100, b"\n{}\n", content)[rng.integers(4)])


def _overwritten(path: Path, _outside: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    start = rng.integers(len(content))
    content[start : start + rng.integers(1, 64)] = rng.bytes(int(rng.integers(0, 64)))
    path.write_bytes(content)


def _sparse(path: Path, _outside: Path, rng: np.random.Generator) -> None:
    with path.open("r+b") as file:
        file.truncate((1 << 30, 3 << 30, 1 << 40)[rng.integers(3)])


def _json_changed(path: Path, _outside: Path, rng: np.random.Generator) -> None:
    if path.suffix not in (".json", ".jsonl"):
        path = required(path.with_name(manifests.NAME))
    lines = path.read_text().splitlines(keepends=True) if path.suffix == ".jsonl" else [path.read_text()]
    index = int(rng.integers(len(lines)))
    value = json.loads(lines[index])
    _edit(value, rng)
    indent = (
        None
        if path.suffix == ".jsonl" or "\n" not in lines[index][:-1]
        else len(lines[index].split('"')[0]) - 2
    )
    lines[index] = json.dumps(value, indent=indent, sort_keys=path.name == manifests.NAME) + "\n"
    path.write_text("".join(lines))


def _key_repeated(path: Path, _outside: Path, rng: np.random.Generator) -> None:
    path = required(path if path.suffix == ".json" else path.with_name(manifests.NAME))
    text = path.read_text()
    value = json.loads(text)
    name = list(value)[rng.integers(len(value))]
    path.write_text(text.replace("{", "{" + json.dumps(name) + ": 9, ", 1))


def _edit(value: Any, rng: np.random.Generator) -> None:
    """Change, remove or add one entry somewhere below a JSON value."""
    while True:
        keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = keys[rng.integers(len(keys))]
        if isinstance(value[key], dict | list) and value[key] and rng.random() < 0.7:
            value = value[key]
            continue
        choice = rng.random()
        if choice < 0.75:
            value[key] = _VALUES[rng.integers(len(_VALUES))]
        elif choice < 0.9:
            del value[key]
        elif isinstance(value, dict):
            value["more"] = value[key]
        return


def _arrays_changed(path: Path, _outside: Path, rng: np.random.Generator) -> None:
    if path.suffix != ".npz":
        path = required(path.with_name((checkpoints.STATE, checkpoints.WEIGHTS)[rng.integers(2)]))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = list(members)[rng.integers(len(members))]
    kind, stem = rng.integers(10), name.removesuffix(".npy")
    compression = zipfile.ZIP_STORED
    if kind == 0:
        del members[name]
    elif kind == 1:
        other = (stem.split("/")[0], f"{stem}/more", "../x", "/", "", "a//b", "x" * 300)[rng.integers(7)]
        members[f"{other}.npy"] = members[name]
    elif kind == 2:
        compression = zipfile.ZIP_DEFLATED
    elif kind == 3:
        shape = ("(10000000000000,)", "()", "(-1,)", "(0, 99999999999999)", "(1, 1, 1, 1)")[rng.integers(5)]
        described = f"{{'descr': '{_TYPES[rng.integers(len(_TYPES))]}', 'fortran_order': False, 'shape': {shape}, }}\n"
        members[name] = (
            b"\x93NUMPY\x01\x00" + len(described).to_bytes(2, "little") + described.encode() + bytes(8)
        )
    elif kind == 4:
        members[name.removesuffix(".npy")] = members.pop(name)
    else:
        members[name] = _npy(np.load(io.BytesIO(members[name])), rng)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for each, content in members.items():
            archive.writestr(zipfile.ZipInfo(each), content, compression)


def _npy(array: Any, rng: np.random.Generator) -> bytes:
    """Another array than a run would write: of other values, another shape or another type."""
    kind = rng.integers(6)
    if kind == 0:
        value = (np.nan, np.inf, -1, 1e30)[rng.integers(4)]
        # An integer has no NaN; any value will do.
        with np.errstate(invalid="ignore"):
            array = np.full(array.shape, value).astype(array.dtype)
    elif kind == 1:
        array = np.zeros((2, *array.shape), array.dtype)
    elif kind == 2:
        array = array.ravel()[: array.size // 2]
    elif kind == 3:
        array = np.resize(array, array.size + 3)
    elif kind == 4:
        array = np.full((), 7, array.dtype)
    else:
        array = np.zeros(array.shape, _TYPES[rng.integers(len(_TYPES))])
    file = io.BytesIO()
    with np.errstate(all="ignore"):
        np.save(file, array)
    return file.getvalue()


def _config_changed(path: Path, _outside: Path, rng: np.random.Generator) -> None:
    folder = next(each for each in path.parents if (each / directory.CONFIG).exists())
    path = required(folder / directory.CONFIG)
    lines = path.read_text().splitlines(keepends=True)
    index = int(rng.integers(len(lines)))
    key, colon, _ = lines[index].partition(":")
    choice = rng.random()
    if choice < 0.6 and colon:
        value = _VALUES[rng.integers(len(_VALUES))]
        lines[index] = f"{key}: {json.dumps(value)}\n"
    elif choice < 0.8:
        del lines[index]
    else:
        lines.insert(index, lines[rng.integers(len(lines))])
    path.write_text("".join(lines))


FILE_CHANGES: tuple[tuple[str, Change], ...] = (
    ("flipped", _flipped), ("cut", _cut), ("grown", _grown), ("overwritten", _overwritten), ("sparse", _sparse),
    ("JSON changed", _json_changed), ("JSON changed", _json_changed), ("JSON changed", _json_changed),
    ("key repeated", _key_repeated), ("arrays changed", _arrays_changed), ("arrays changed", _arrays_changed),
    ("arrays changed", _arrays_changed), ("config changed", _config_changed),
)  # fmt: skip
