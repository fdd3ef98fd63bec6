"""CIFAR-100: small photographs of a hundred classes."""

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
    folders=("", "cifar-100-binary", "cifar-100-python", "cifar-100-python-target/cifar-100-python"),
    train=("train",),
    test="test",
    label_bytes=2,
    label_key=b"fine_labels",
)
DOWNLOADS = (
    Download(
        f"{CIFAR_SERVER}/cifar-100-python.tar.gz",
        "sha256:85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        unpacked="cifar-100-python-target",
    ),
)
PUT = (
    "Unpack cifar-100-binary.tar.gz or cifar-100-python.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html "
    "and give the folder as `path`."
)


def cifar100(seed: int, *, path: str | None = None) -> Dataset:
    """Photographs, 50,000 + 10,000 images 32x32x3, 100 (fine) classes.

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
    images = find_images("cifar100", read, path=path, places=places, downloads=DOWNLOADS, put=PUT)
    return image_dataset(images, num_classes=100, shape=(32, 32, 3))
