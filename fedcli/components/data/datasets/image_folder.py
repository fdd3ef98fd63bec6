"""Reader of a folder of image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fedcli.components.data.dataset import Array
from fedcli.core.errors import DataError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


def read_image_folder(folder: Path, shape: tuple[int, int, int]) -> tuple[Array, list[str], int]:
    """The images of a folder, without those of folders within it.

    Args:
        folder: where they are.
        shape: height, width and channels (1 or 3) that they get.

    Returns:
        The images, uint8 [N, H, W, C]; the names of their files, sorted; and how many had another size.

    Raises:
        DataError: if there is no image, or one cannot be read.
    """
    from PIL import Image, UnidentifiedImageError

    height, width, channels = shape
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    if not files:
        raise DataError(f"{folder} has no images; files that end in {', '.join(ENDINGS)} are expected.")
    x, resized = np.empty((len(files), *shape), np.uint8), 0
    for place, file in enumerate(files):
        try:
            with Image.open(file) as opened:
                image = opened.convert("L" if channels == 1 else "RGB")
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
            raise DataError(f"{file} cannot be read as an image: {error}.") from None
        if image.size != (width, height):
            image, resized = image.resize((width, height)), resized + 1
        x[place] = np.asarray(image).reshape(shape)
    return x, [file.name for file in files], resized
