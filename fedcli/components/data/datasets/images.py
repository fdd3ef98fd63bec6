"""Search, download and result of the image datasets."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from fedcli.components.data.dataset import Array, Dataset
from fedcli.core.errors import DataError

DOWNLOAD_TIMEOUT_SECONDS = 60.0
"""Longest wait for the server of a download; without it an unreachable network blocks for many minutes."""

KERAS_SERVER = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
CIFAR_SERVER = "https://www.cs.toronto.edu/~kriz"


class Download(NamedTuple):
    """A file that is downloaded to where Keras has it.

    Args:
        url: its address.
        digest: `sha256:` or `md5:` and its digest.
        folder: where it goes, below Keras's cache.
        unpacked: the folder in that one into which an archive is unpacked; None for other files.
    """

    url: str
    digest: str
    folder: str = "."
    unpacked: str | None = None


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
    downloads: Sequence[Download],
    put: str,
) -> Images:
    """Images from `path`, or from the first place that has them, or from a download.

    Args:
        name: of the dataset, for errors.
        read: reads a folder or file; None if it does not hold the dataset.
        path: the user's folder or file; if it is given, nothing else is tried.
        places: where to look otherwise, in this order; what is downloaded is found in the last one.
        downloads: the files to download otherwise.
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
    try:
        for each in downloads:
            _download(each)
    except Exception as error:  # the network, the disk and the archive have errors of many types
        looked = " or ".join(str(place) for place in places)
        raise DataError(
            f"{name} is not in {looked}, and its download failed: {_why(error)}", hint=put
        ) from error
    return cast(Images, read(places[-1]))


def _download(file: Download) -> None:
    # Not by Keras, which would load TensorFlow: `check` reads the data as well.
    import pooch

    pooch.retrieve(
        file.url,
        file.digest,
        fname=file.url.rpartition("/")[2],
        path=keras_cache() / file.folder,
        processor=pooch.Untar(extract_dir=file.unpacked) if file.unpacked else None,
        downloader=pooch.HTTPDownloader(timeout=DOWNLOAD_TIMEOUT_SECONDS),
    )


def _why(error: Exception) -> str:
    import requests

    if isinstance(error, requests.ConnectionError) and error.request is not None:
        return f"there is no connection to {error.request.url!s}."
    return str(error)
