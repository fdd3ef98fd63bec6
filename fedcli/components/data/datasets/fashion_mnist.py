"""Fashion-MNIST: images of clothes in the form of MNIST."""

from __future__ import annotations

from pathlib import Path

from fedcli.components.data.dataset import Dataset
from fedcli.components.data.datasets.idx import IDX_FILES, read_idx_folder
from fedcli.components.data.datasets.images import (
    KERAS_SERVER,
    Download,
    find_images,
    image_dataset,
    keras_cache,
)

SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")
# As its authors state them.
_DIGESTS = (
    "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "md5:25c81989df183df01b3e8a0aad5dffbe",
    "md5:bef4ecab320f06d8554ea6380940ec79",
    "md5:bb300cfdad3c16e7a12a480ee83cd310",
)
DOWNLOADS = tuple(
    Download(f"{KERAS_SERVER}/{name}.gz", digest, folder="fashion-mnist")
    for name, digest in zip(IDX_FILES, _DIGESTS, strict=True)
)
PUT = (
    f"Put {', '.join(IDX_FILES)} (raw or .gz) into one folder and give it as `path`, or run "
    "`apt-get install dataset-fashion-mnist`."
)


def fashion_mnist(seed: int, *, path: str | None = None) -> Dataset:
    """Clothes, 60,000 + 10,000 images 28x28x1, 10 classes.

    Read from `path`. By default from /usr/share/datasets/fashion-mnist or Keras's cache, or downloaded to it.

    Args:
        seed: unused, because the test images are given.
        path: a folder with the four IDX files, raw or .gz.

    Raises:
        DataError: if the files are absent and cannot be downloaded, or are damaged.

    Reference: Xiao et al. 2017, arXiv:1708.07747.
    """
    del seed
    places = (SYSTEM_FOLDER, keras_cache() / "fashion-mnist")
    images = find_images(
        "fashion_mnist", read_idx_folder, path=path, places=places, downloads=DOWNLOADS, put=PUT
    )
    return image_dataset(images, num_classes=10, shape=(28, 28, 1))
