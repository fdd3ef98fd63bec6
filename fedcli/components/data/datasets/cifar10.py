"""CIFAR-10: small photographs of ten classes."""

from __future__ import annotations

from functools import partial

from fedcli.components.data.dataset import Dataset
from fedcli.components.data.datasets.cifar import CifarFiles, read_cifar
from fedcli.components.data.datasets.images import (
    CIFAR_SERVER,
    Download,
    find_images,
    image_dataset,
    keras_cache,
)

FILES = CifarFiles(
    folders=(
        "",
        "cifar-10-batches-bin",
        "cifar-10-batches-py",
        # Where Keras unpacks its download.
        "cifar-10-batches-py-target/cifar-10-batches-py",
    ),
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test="test_batch",
    label_bytes=1,
    label_key=b"labels",
)
DOWNLOADS = (
    Download(
        f"{CIFAR_SERVER}/cifar-10-python.tar.gz",
        "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        unpacked="cifar-10-batches-py-target",
    ),
)
PUT = (
    "Unpack cifar-10-binary.tar.gz or cifar-10-python.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html "
    "and give the folder as `path`."
)


def cifar10(seed: int, *, path: str | None = None) -> Dataset:
    """Photographs, 50,000 + 10,000 images 32x32x3, 10 classes.

    Read from `path`. By default from Keras's cache, or downloaded to it.

    Args:
        seed: unused, because the test images are given.
        path: the unpacked folder of the binary or the python version, or the folder that contains it.

    Raises:
        DataError: if the files are absent and cannot be downloaded, or are damaged.

    Reference: Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images.
    """
    del seed
    read = partial(read_cifar, files=FILES)
    places = (keras_cache(),)
    images = find_images("cifar10", read, path=path, places=places, downloads=DOWNLOADS, put=PUT)
    return image_dataset(images, num_classes=10, shape=(32, 32, 3))
