"""Search, download and result of the image datasets."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fedcli.components.data.dataset import Array, Dataset
from fedcli.core.errors import DataError

DOWNLOAD_TIMEOUT_SECONDS = 60.0
"""Longest wait for the server of a download; without it an unreachable network blocks for many minutes."""


class Images(NamedTuple):
    """Training and test images with their labels; images uint8 [N, H, W] or [N, H, W, C]."""

    x: Array
    y: Array
    x_test: Array
    y_test: Array


def keras_cache() -> Path:
    """The folder in which Keras keeps downloaded datasets."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "datasets"


def image_dataset(images: Images, *, num_classes: int, shape: tuple[int, int, int]) -> Dataset:
    """The dataset of uint8 images, [N, H, W, C].

    Raises:
        DataError: if an image does not have `shape`, [H, W, C], or a label is not a class.
    """
    x, x_test = (part[..., np.newaxis] if part.ndim == 3 else part for part in (images.x, images.x_test))
    if x.shape[1:] != shape or x_test.shape[1:] != shape:
        raise DataError(
            f"The images have the shapes {list(x.shape[1:])} and {list(x_test.shape[1:])}; expected {list(shape)}."
        )
    # Keras gives the labels of CIFAR as a column [N, 1].
    y, y_test = images.y.reshape(-1), images.y_test.reshape(-1)
    return Dataset(x, y, x_test, y_test, task="classification", num_outputs=num_classes)


def find_images(
    name: str,
    read: Callable[[Path], Images | None],
    *,
    path: str | None,
    places: Sequence[Path],
    put: str,
) -> Images:
    """Images from `path`, or from the first place that has them, or from Keras's download.

    Args:
        name: the dataset's name in `keras.datasets`.
        read: reads a folder or file; None if it does not hold the dataset.
        path: the user's folder or file; if it is given, nothing else is tried.
        places: where to look otherwise, in this order.
        put: the hint of an error: which files to put where.

    Raises:
        DataError: if the path does not hold the dataset, or if the places do not and the download fails.
    """
    if path is not None:
        images = read(Path(path).expanduser())
        if images is None:
            raise DataError(f"{Path(path).absolute()} does not hold {name}.", key="path", hint=put)
        return images
    for place in places:
        images = read(place)
        if images is not None:
            return images
    return _download(name, places=places, put=put)


def _download(name: str, *, places: Sequence[Path], put: str) -> Images:
    try:
        # Keras draws its progress bar on stdout, where a command prints its result.
        with contextlib.redirect_stdout(sys.stderr), _socket_timeout(DOWNLOAD_TIMEOUT_SECONDS):
            import keras

            (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras lets errors of the network, the disk and the archive pass
        looked = " or ".join(str(place) for place in places)
        raise DataError(f"{name} is not in {looked}, and its download failed: {error}", hint=put) from error
    return Images(x, y, x_test, y_test)


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    # Keras has no option for it, and sockets wait without a limit by default.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
