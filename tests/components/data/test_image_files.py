"""Image files are read as their formats say, damage is told in sentences, and nothing is run."""

import gzip
import os
import pickle
import shutil
import struct
import sys

import numpy as np
import pooch
import pytest
import requests

from fedcli.components.data import DATASETS
from fedcli.components.data.datasets.cifar10 import FILES as CIFAR10_FILES
from fedcli.components.data.datasets.cifar100 import FILES as CIFAR100_FILES
from fedcli.components.data.datasets.idx import IDX_FILES, read_idx
from fedcli.core.errors import DataError

IMAGES = ["fashion_mnist", "mnist", "cifar10", "cifar100"]
SYSTEM_FOLDER = "/usr/share/datasets/fashion-mnist"


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist_family(folder, opener=open, suffix=""):
    rng = np.random.default_rng(0)
    arrays = [
        array.astype(np.uint8)
        for size in (5, 2)
        for array in (rng.integers(0, 256, (size, 28, 28)), rng.integers(0, 10, size))
    ]
    for name, array in zip(IDX_FILES, arrays, strict=True):
        with opener(folder / (name + suffix), "wb") as file:
            file.write(idx(array))
    return arrays


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No Keras cache, no system folder, and no network; Keras, which would load TensorFlow, cannot be imported."""

    def retrieve(url, *_, **__):
        raise requests.ConnectionError(request=requests.Request(url=url))

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    module = sys.modules["fedcli.components.data.datasets.fashion_mnist"]
    monkeypatch.setattr(module, "SYSTEM_FOLDER", tmp_path / "nowhere")


@pytest.mark.parametrize(("opener", "suffix"), [(open, ""), (gzip.open, ".gz")])
@pytest.mark.parametrize("name", ["fashion_mnist", "mnist"])
def test_the_four_idx_files_are_read_raw_and_packed(tmp_path, name, opener, suffix):
    x, y, x_test, y_test = write_mnist_family(tmp_path, opener, suffix)
    dataset = DATASETS[name](0, path=str(tmp_path))
    assert np.array_equal(dataset.x, x[..., None])
    assert np.array_equal(dataset.x_test, x_test[..., None])
    assert dataset.y.tolist() == y.tolist()
    assert dataset.y_test.tolist() == y_test.tolist()
    assert dataset.x.dtype == np.uint8


SMALL = np.arange(6, dtype=np.uint8).reshape(2, 3)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "begins with nothing"),
        (b"\x00\x00\x0d\x01", "begins with 00000d01; expected an IDX file of unsigned bytes"),
        (idx(SMALL)[:7], "ends inside its header"),
        (idx(SMALL)[:-1], "has 5 bytes; expected 6 by its header"),
        (idx(SMALL) + b"!", "has more bytes; expected 6 by its header"),
    ],
)
def test_a_damaged_idx_file_is_told_in_a_sentence(tmp_path, content, sentence):
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        read_idx(file)


def test_a_large_idx_file_is_mapped_and_one_of_another_size_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("fedcli.components.data.datasets.idx.LEAST_BYTES", 6)
    file = tmp_path / "train"
    file.write_bytes(idx(SMALL))
    mapped = read_idx(file)
    assert isinstance(mapped, np.memmap)
    assert np.array_equal(mapped, SMALL)
    file.write_bytes(idx(SMALL) + b"!")
    with pytest.raises(DataError, match="has more bytes; expected 6 by its header"):
        read_idx(file)


@pytest.mark.parametrize("content", [b"not gzip", gzip.compress(idx(SMALL), mtime=0)[:-9]])
def test_a_damaged_archive_is_told_in_a_sentence(tmp_path, content):
    file = tmp_path / "file.gz"
    file.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(file)


def test_images_of_another_size_are_refused(tmp_path):
    write_mnist_family(tmp_path)
    (tmp_path / IDX_FILES[0]).write_bytes(idx(np.zeros((5, 27, 28), np.uint8)))
    with pytest.raises(DataError, match=r"The images have the shapes \[27, 28, 1\]"):
        DATASETS["fashion_mnist"](0, path=str(tmp_path))


def test_mnist_is_read_from_keras_cache(tmp_path, monkeypatch):
    (tmp_path / "datasets").mkdir()
    arrays = dict(
        zip(
            ("x_train", "y_train", "x_test", "y_test"),
            (np.zeros((3, 28, 28), np.uint8), np.arange(3), np.zeros((1, 28, 28), np.uint8), np.array([9])),
            strict=True,
        )
    )
    np.savez(tmp_path / "datasets" / "mnist.npz", **arrays)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert DATASETS["mnist"](0).y.tolist() == [0, 1, 2]
    np.savez(tmp_path / "datasets" / "mnist.npz", x_train=arrays["x_train"])
    with pytest.raises(DataError, match="lacks y_train, x_test, y_test"):
        DATASETS["mnist"](0)


def cifar_batch(label_key, number):
    rng = np.random.default_rng(number)
    data = rng.integers(0, 256, (2, 3072)).astype(np.uint8)
    return {b"data": data, label_key: [number % 10, 3]}


CIFARS = [("cifar10", CIFAR10_FILES), ("cifar100", CIFAR100_FILES)]


@pytest.mark.parametrize(("name", "files"), CIFARS)
@pytest.mark.parametrize("version", ["binary", "python"])
def test_both_versions_of_cifar_are_read(tmp_path, name, files, version):
    batches = [cifar_batch(files.label_key, number) for number in range(len(files.train) + 1)]
    for file, batch in zip((*files.train, files.test), batches, strict=True):
        if version == "python":
            (tmp_path / file).write_bytes(pickle.dumps(batch, protocol=2))
        else:
            labels = np.array(batch[files.label_key], np.uint8)[:, None].repeat(files.label_bytes, axis=1)
            np.concatenate([labels, batch[b"data"]], axis=1).tofile(tmp_path / f"{file}.bin")
    dataset = DATASETS[name](0, path=str(tmp_path))
    assert dataset.x.shape == (2 * len(files.train), 32, 32, 3)
    assert dataset.y[:2].tolist() == [0, 3]
    assert np.array_equal(dataset.x[0, :, :, 0], batches[0][b"data"][0, :1024].reshape(32, 32))


@pytest.mark.parametrize(("name", "files"), CIFARS)
def test_damaged_cifar_files_are_told_in_a_sentence(tmp_path, name, files):
    for file in (*files.train, files.test):
        (tmp_path / file).write_bytes(b"not a pickle")
    with pytest.raises(DataError, match="is not a CIFAR batch"):
        DATASETS[name](0, path=str(tmp_path))
    for file in (*files.train, files.test):
        (tmp_path / f"{file}.bin").write_bytes(b"short")
    with pytest.raises(DataError, match="has 5 bytes; expected records of 3,07"):
        DATASETS[name](0, path=str(tmp_path))


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


def test_a_pickle_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in (*CIFAR10_FILES.train, CIFAR10_FILES.test):
        (tmp_path / file).write_bytes(pickle.dumps({b"data": Evil()}, protocol=2))
    with pytest.raises(DataError, match="mkdir, which images do not need"):
        DATASETS["cifar10"](0, path=str(tmp_path))
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("name", IMAGES)
def test_a_path_without_the_files_is_an_error_and_not_a_download(tmp_path, offline, name):
    with pytest.raises(DataError, match=f"does not hold {name}") as caught:
        DATASETS[name](0, path=str(tmp_path))
    assert caught.value.key == "path"
    assert "`path`" in caught.value.hint


@pytest.mark.parametrize("name", IMAGES)
def test_a_failed_download_says_what_to_put_where_and_keeps_stdout_clean(offline, name, capsys):
    with pytest.raises(DataError, match="its download failed: there is no connection to https://") as caught:
        DATASETS[name](0)
    assert "`path`" in caught.value.hint
    assert capsys.readouterr().out == ""


def test_fashion_mnist_names_the_debian_package(offline):
    with pytest.raises(DataError, match="apt-get install dataset-fashion-mnist"):
        DATASETS["fashion_mnist"](0)


@pytest.mark.parametrize("name", ["fashion_mnist", "mnist"])
def test_what_is_downloaded_is_read_where_keras_has_it(offline, name, monkeypatch, tmp_path):
    (tmp_path / "server").mkdir()
    arrays = write_mnist_family(tmp_path / "server", gzip.open, ".gz")
    keys = ("x_train", "y_train", "x_test", "y_test")
    np.savez(tmp_path / "server/mnist.npz", **dict(zip(keys, arrays, strict=True)))

    def retrieve(url, digest, *, fname, path, processor, downloader):
        assert (url.startswith("https://"), digest[:3] in ("sha", "md5"), processor) == (True, True, None)
        path.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / "server" / fname, path / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert np.array_equal(DATASETS[name](0).y, arrays[1])
    assert (tmp_path / "keras/datasets").is_dir()


def test_a_downloaded_archive_is_unpacked_where_keras_unpacks_it(offline, monkeypatch, tmp_path):
    def retrieve(url, digest, *, fname, path, processor, downloader):
        place = path / processor.extract_dir / "cifar-10-batches-py"
        place.mkdir(parents=True)
        batch = {b"data": np.zeros((1, 3072), np.uint8), b"labels": [5]}
        for file in (*CIFAR10_FILES.train, CIFAR10_FILES.test):
            (place / file).write_bytes(pickle.dumps(batch, protocol=2))

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert DATASETS["cifar10"](0).y.tolist() == [5] * 5


@pytest.mark.skipif(not os.path.isdir(SYSTEM_FOLDER), reason="needs the package dataset-fashion-mnist")
def test_the_real_fashion_mnist_is_read():
    dataset = DATASETS["fashion_mnist"](0)
    assert dataset.x.shape == (60_000, 28, 28, 1)
    assert np.bincount(dataset.y).tolist() == [6000] * 10
    assert np.bincount(dataset.y_test).tolist() == [1000] * 10
    assert dataset.x.dtype == np.uint8
    assert abs(dataset.x.mean() - 72.94) < 0.01
