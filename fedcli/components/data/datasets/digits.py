"""Handwritten digits of scikit-learn, without a download."""

from __future__ import annotations

from importlib.metadata import distribution

import numpy as np

from fedcli.components.data.dataset import Dataset, hold_out
from fedcli.core.seeds import SERVER, generator


def digits(seed: int, *, test_fraction: float = 0.2) -> Dataset:
    """Handwritten digits, 1,797 images 8x8x1 of values 0..16, 10 classes; no download.

    Args:
        seed: decides which images are test images.
        test_fraction: share of every class that is held out, in (0, 1).

    Raises:
        ConfigError: if the fraction is outside its range.

    Reference: UCI Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998), as in scikit-learn.
    """
    # What `sklearn.datasets.load_digits` reads: importing it takes longer than the rest of `fedcli check`.
    path = distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
    table = np.loadtxt(str(path), np.int64, delimiter=",")
    x, y = table[:, :64].reshape(-1, 8, 8, 1).astype(np.uint8), table[:, 64]
    train, test = hold_out(len(y), test_fraction, rng=generator(seed, 0, SERVER, "data/digits"), groups=y)
    return Dataset(x[train], y[train], x[test], y[test], task="classification", num_outputs=10)
