"""Plain arrays in files: to the bit, equal files for equal arrays, no pickle, and no more memory than bytes."""

import contextlib
import io
import struct
import warnings
import zipfile

import numpy as np
import pytest

from fedcli.core.errors import RunError
from fedcli.store.files import npz

ARRAYS = {
    "w": np.array([1.5, -0.0, 3e-45], np.float32),
    "file": np.int64(7),
    "deep/er": np.zeros((0, 2)),
    "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "texts": np.array(["ü", "abc"]),
    "is": np.array([True, False]),
}


def same(one, other):
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype
        and one[name].shape == other[name].shape
        and one[name].tobytes() == other[name].tobytes()
        for name in one
    )


def archive(members, compression=zipfile.ZIP_STORED):
    """An archive with these members, given as pairs: a name may come twice."""
    file = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(file, "w", compression) as made:
        for name, content in members:
            made.writestr(zipfile.ZipInfo(name), content, compression)
    return file.getvalue()


def npy(type="<f4", shape="(2,)", data=bytes(8), columns=False):
    """An .npy that says this of itself."""
    header = f"{{'descr': '{type}', 'fortran_order': {columns}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n" + data


def test_arrays_return_to_the_bit(tmp_path):
    (tmp_path / "a.npz").write_bytes(npz.to_bytes(ARRAYS))
    assert same(npz.read_arrays(tmp_path / "a.npz"), ARRAYS)
    assert same(npz.from_bytes(npz.to_bytes(ARRAYS)), ARRAYS)
    assert npz.from_bytes(npz.to_bytes({})) == {}
    assert npz.from_bytes(npz.to_bytes(ARRAYS))["columns"].flags.writeable


def test_what_a_run_could_not_read_again_is_not_written():
    # The two moments of Adam for 73.6 million weights are a file of a run; their values take no memory here.
    moments = {name: np.broadcast_to(np.float32(0), 73_600_000) for name in ("first", "second")}
    assert callable(npz.writer(moments))
    with pytest.raises(RunError, match=r"1,177,\d{3},\d{3} bytes of arrays are more than .* \(1,073,741,8"):
        npz.writer({**moments, **{f"again/{name}": array for name, array in moments.items()}})


def test_an_archive_of_numpys_own_is_read_where_it_is_not_compressed():
    file = io.BytesIO()
    np.savez(file, **{name: array for name, array in ARRAYS.items() if name != "file"}, version2=np.ones(3))
    assert len(npz.from_bytes(file.getvalue())) == len(ARRAYS)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a whole archive"),
        (npy(), "not a whole archive"),
        (archive([("a.npy", npy())], zipfile.ZIP_DEFLATED), "'a.npy' is compressed or encrypted"),
        (archive([("a.npy", npy())], zipfile.ZIP_BZIP2), "'a.npy' is compressed or encrypted"),
        (archive([("a.npy", npy()), ("a.npy", npy())]), "two members of one name"),
        (archive([("evil.py", b"")]), "the member 'evil.py', which is not an array"),
        (archive([(f"{number}.npy", b"") for number in range(3)]), "does not begin as an array"),
        (archive([("a.npy", npy(shape="(10000000000000,)"))]), r"has 8 bytes, which are not an array"),
        (
            archive([("a.npy", npy(shape="(0, 9223372036854775808)", data=b""))]),
            "not an array that can be made",
        ),
        (archive([("a.npy", npy(shape=f"({', '.join('1' * 33)})", data=bytes(4)))]), "are not an array"),
        (archive([("a.npy", npy(type="|O"))]), "does not begin as an array"),
        (archive([("a.npy", npy(type="|O8", shape="(1,)"))]), "of an unknown type|are not an array"),
        (archive([("a.npy", npy(type="|V8", shape="(1,)"))]), "are not an array"),
        (archive([("a.npy", npy(type="<M8", shape="(1,)"))]), "are not an array"),
        (archive([("a.npy", npy(type=">f4"))]), "does not begin as an array"),
        (archive([("a.npy", npy(type="<f7"))]), "of an unknown type"),
        (archive([("a.npy", npy(type="<U0", shape="(999999999999,)", data=b""))]), "are not an array"),
        (archive([("a.npy", npy(type="<U999999999"))]), "of an unknown type|are not an array"),
        (archive([("a.npy", npy(data=bytes(9)))]), "has 9 bytes"),
        (archive([("a.npy", npy().replace(b"(2,)", b"(-2,)"))]), "does not begin as an array"),
        (archive([("a.npy", npy().replace(b"\x01\x00", b"\x02\x00", 1))]), "does not begin as an array"),
    ],
)
def test_an_archive_that_is_not_written_is_not_read(content, reason):
    with pytest.raises(ValueError, match=reason):
        npz.from_bytes(content)


def test_members_that_overlap_are_refused():
    one = archive([("a.npy", npy(data=bytes(80), shape="(20,)"))])
    start = one.index(b"PK\x01\x02")
    entry, end = one[start : one.index(b"PK\x05\x06")], one[one.index(b"PK\x05\x06") :]
    more = b"".join(entry.replace(b"a.npy", f"{name}.npy".encode()) for name in "abcdefghi")
    end = end[:8] + struct.pack("<HHI", 9, 9, len(more)) + end[16:]
    with pytest.raises(ValueError, match=r"members are larger than the archive|not a whole archive"):
        npz.from_bytes(one[:start] + more + end)


def test_an_encrypted_member_and_one_of_two_sizes_are_refused():
    whole = archive([("a.npy", npy())])
    for place in (6, whole.index(b"PK\x01\x02") + 8):  # the flags of the member, and of its entry
        whole = whole[:place] + b"\x01" + whole[place + 1 :]
    with pytest.raises(ValueError, match="compressed or encrypted"):
        npz.from_bytes(whole)
    whole = archive([("a.npy", npy())])
    size = whole.index(b"PK\x01\x02") + 24
    with pytest.raises(ValueError, match="has two sizes"):
        npz.from_bytes(whole[:size] + b"\x01" + whole[size + 1 :])


def test_more_members_than_any_model_has_are_counted_before_they_are_listed():
    with pytest.raises(ValueError, match="more than 65,536 members"):
        npz.from_bytes(b"PK\x01\x02" * 65_537)


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
            changed = whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]
            if place % 9 == 0:
                path.write_bytes(changed)
                with contextlib.suppress(RunError):
                    npz.read_arrays(path)
            try:
                npz.from_bytes(changed)
            except ValueError:
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


def test_a_type_that_is_not_read_is_not_written():
    for array in (np.zeros(1, "M8[s]"), np.zeros(1, ">f4"), np.zeros(1, "f4,i4"), np.zeros(1, "V3")):
        with pytest.raises(RunError, match="keeps numbers and texts only"):
            npz.to_bytes({"thing": array})
