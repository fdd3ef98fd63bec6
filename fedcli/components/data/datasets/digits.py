"""Handwritten digits of scikit-learn, without a download."""

from __future__ import annotations

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
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # scikit-learn stores the values 0..16 as float64.
    x, y = bunch.images[..., np.newaxis].astype(np.uint8), bunch.target.astype(np.int64)
    train, test = hold_out(len(y), test_fraction, rng=generator(seed, 0, SERVER, "data/digits"), groups=y)
    return Dataset(x[train], y[train], x[test], y[test], task="classification", num_outputs=10)
