"""Large stored arrays of an .npz are mapped, with the values of those that are read."""

import zipfile

import numpy as np
import pytest

from fedcli.components.data import DATASETS, PARTITIONS, federate
from fedcli.components.data.datasets import mapped_npz
from fedcli.components.data.datasets.mapped_npz import mapped_arrays

X, Y = np.arange(48, dtype=np.uint8).reshape(12, 2, 2), np.arange(12) % 2


@pytest.fixture
def file(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y, x_test=X[:3], y_test=Y[:3])
    return tmp_path / "a.npz"


def test_a_mapped_array_is_the_array(file):
    mapped = mapped_arrays(file, least_bytes=1)
    assert mapped.keys() == {"x_train", "y_train", "x_test", "y_test"}
    assert isinstance(mapped["x_train"], np.memmap)
    assert np.array_equal(mapped["x_train"], X)
    assert np.array_equal(mapped["y_train"], Y)
    with pytest.raises(ValueError, match="read-only"):
        mapped["x_train"][0] = 1


def test_small_compressed_and_column_wise_arrays_are_read(file, tmp_path):
    assert mapped_arrays(file) == {}
    np.savez_compressed(tmp_path / "b.npz", x=X)
    assert mapped_arrays(tmp_path / "b.npz", least_bytes=1) == {}
    np.savez(tmp_path / "c.npz", x=np.asfortranarray(np.ones((3, 4))), objects=np.array([{}]))
    assert mapped_arrays(tmp_path / "c.npz", least_bytes=1) == {}


def test_a_size_that_the_header_does_not_have_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", X)
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", (tmp_path / "x.npy").read_bytes() + b"more")
    with pytest.raises(ValueError, match="another size"):
        mapped_arrays(tmp_path / "d.npz", least_bytes=1)


def test_clients_of_a_mapped_file_have_the_same_examples(file, monkeypatch):
    def clients():
        dataset = DATASETS["npz"](7, path=str(file))
        federation = federate(
            dataset, PARTITIONS["iid"](dataset, np.random.default_rng(0), clients=3), root_seed=7
        )
        return dataset, [federation.client(client) for client in range(3)]

    read, expected = clients()
    monkeypatch.setattr(mapped_npz.mapped_arrays, "__kwdefaults__", {"least_bytes": 1})
    mapped, found = clients()
    # A view of the file and no copy of it.
    assert isinstance(mapped.x.base, np.memmap)
    assert not isinstance(read.x.base, np.memmap)
    for one, other in zip(found, expected, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
