"""Small photographs of ten kinds of things."""

from __future__ import annotations

from pathlib import Path

from fedcli.components.data.dataset import Dataset
from fedcli.components.data.datasets.cifar import CifarFiles, read_cifar
from fedcli.components.data.datasets.images import Images, find_images, image_dataset, keras_cache

FILES = CifarFiles(
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test="test_batch",
    label_bytes=1,
    label_key=b"labels",
)
FOLDERS = (
    "",
    "cifar-10-batches-bin",
    "cifar-10-batches-py",
    "cifar-10-batches-py-target/cifar-10-batches-py",
)
PUT = (
    "Unpack cifar-10-binary.tar.gz or cifar-10-python.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html "
    "and name the folder in `path`."
)


def cifar10(seed: int, *, path: str | None = None) -> Dataset:
    """Photographs, 50,000 + 10,000 images 32x32x3, 10 classes.

    Looked for in `path`, or else in Keras's cache, then downloaded by Keras.

    Args:
        seed: unused, the test images are given.
        path: the unpacked folder of the binary or the python version, or the folder around it.

    Raises:
        DataError: if the files are absent and cannot be downloaded, or are damaged.

    Reference: Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images.
    """
    del seed
    images = find_images("cifar10", _read, path=path, places=(keras_cache(),), put=PUT)
    return image_dataset(images, num_classes=10, shape=(32, 32, 3))


def _read(place: Path) -> Images | None:
    found = (read_cifar(place / folder, FILES) for folder in FOLDERS)
    return next((images for images in found if images is not None), None)
