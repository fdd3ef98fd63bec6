"""Fashion-MNIST: images of clothes in the form of MNIST."""

from __future__ import annotations

from pathlib import Path

from fedcli.components.data.dataset import Dataset
from fedcli.components.data.datasets.idx import IDX_FILES, read_idx_folder
from fedcli.components.data.datasets.images import find_images, image_dataset, keras_cache

SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")
PUT = (
    f"Put {', '.join(IDX_FILES)} (raw or .gz) into one folder and give it as `path`, or run "
    "`apt-get install dataset-fashion-mnist`."
)


def fashion_mnist(seed: int, *, path: str | None = None) -> Dataset:
    """Clothes, 60,000 + 10,000 images 28x28x1, 10 classes.

    Read from `path`. By default from /usr/share/datasets/fashion-mnist or Keras's cache, or downloaded by Keras.

    Args:
        seed: unused, because the test images are given.
        path: a folder with the four IDX files, raw or .gz.

    Raises:
        DataError: if the files are absent and cannot be downloaded, or are damaged.

    Reference: Xiao et al. 2017, arXiv:1708.07747.
    """
    del seed
    places = (SYSTEM_FOLDER, keras_cache() / "fashion-mnist")
    images = find_images("fashion_mnist", read_idx_folder, path=path, places=places, put=PUT)
    return image_dataset(images, num_classes=10, shape=(28, 28, 1))
