"""Plain arrays in files: to the bit, equal files for equal arrays, no pickle."""

import numpy as np
import pytest

from fedcli.core.errors import RunError
from fedcli.store.files import npz

ARRAYS = {"w": np.array([1.5, -0.0, 3e-45], np.float32), "file": np.int64(7), "deep/er": np.zeros((0, 2))}


def same(one, other):
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype
        and one[name].shape == other[name].shape
        and one[name].tobytes() == other[name].tobytes()
        for name in one
    )


def test_arrays_return_to_the_bit_from_a_file_and_from_bytes(tmp_path):
    (tmp_path / "a.npz").write_bytes(npz.to_bytes(ARRAYS))
    assert same(npz.read_arrays(tmp_path / "a.npz"), ARRAYS)
    assert same(npz.from_bytes(npz.to_bytes(ARRAYS)), ARRAYS)


def test_a_file_and_bytes_hold_the_same_and_numpy_reads_them(tmp_path):
    (tmp_path / "a.npz").write_bytes(npz.to_bytes(ARRAYS))
    assert (tmp_path / "a.npz").read_bytes() == npz.to_bytes(ARRAYS)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert set(archive) == set(ARRAYS)


def test_a_damaged_file_is_read_or_refused_whichever_bit_it_is(tmp_path):
    path = tmp_path / "a.npz"
    whole = npz.to_bytes({"a": np.arange(3)})
    refused = 0
    for place in range(len(whole)):
        for bit in (0, 3, 5):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            try:
                npz.read_arrays(path)
            except RunError:
                refused += 1
    assert refused > len(whole)


def test_a_pickled_array_is_never_read(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, w=np.array([{"an": "object"}], dtype=object))
    with pytest.raises(RunError, match=r"cannot be read as an \.npz of plain arrays"):
        npz.read_arrays(path)


def test_a_plain_npy_is_no_npz(tmp_path):
    path = tmp_path / "weights.npz"
    with path.open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(RunError, match=r"cannot be read as an \.npz"):
        npz.read_arrays(path)


def test_objects_are_refused_when_they_are_written():
    with pytest.raises(RunError, match="thing holds Python objects"):
        npz.to_bytes({"thing": np.asarray(object())})
