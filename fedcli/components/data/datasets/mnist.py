"""MNIST: the handwritten digits of most comparisons."""

from __future__ import annotations

from pathlib import Path

from fedcli.components.data.dataset import Dataset
from fedcli.components.data.datasets.idx import IDX_FILES, read_idx_folder
from fedcli.components.data.datasets.images import (
    KERAS_SERVER,
    Download,
    Images,
    find_images,
    image_dataset,
    keras_cache,
)
from fedcli.components.data.datasets.npz import read_arrays
from fedcli.core.errors import DataError

KEYS = ("x_train", "y_train", "x_test", "y_test")
DOWNLOADS = (
    Download(
        f"{KERAS_SERVER}/mnist.npz", "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
    ),
)
PUT = f"Put Keras's mnist.npz, or {', '.join(IDX_FILES)} (raw or .gz), into one folder and give it as `path`."


def mnist(seed: int, *, path: str | None = None) -> Dataset:
    """Handwritten digits, 60,000 + 10,000 images 28x28x1, 10 classes.

    Read from `path`. By default from Keras's cache, or downloaded to it.

    Args:
        seed: unused, because the test images are given.
        path: mnist.npz, or a folder that holds it or the four IDX files, raw or .gz.

    Raises:
        DataError: if the files are absent and cannot be downloaded, or are damaged.

    Reference: LeCun et al. 1998, Proceedings of the IEEE 86(11).
    """
    del seed
    places = (keras_cache(),)
    images = find_images("mnist", _read, path=path, places=places, downloads=DOWNLOADS, put=PUT)
    return image_dataset(images, num_classes=10, shape=(28, 28, 1))


def _read(place: Path) -> Images | None:
    file = place if place.is_file() else place / "mnist.npz"
    # Without Keras's file, the folder may hold the original IDX files.
    if not file.is_file():
        return read_idx_folder(place)
    arrays = read_arrays(file)
    absent = [key for key in KEYS if key not in arrays]
    if absent:
        raise DataError(f"{file} lacks {', '.join(absent)}; expected Keras's mnist.npz.", key="path")
    return Images(*(arrays[key] for key in KEYS))
