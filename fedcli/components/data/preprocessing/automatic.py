"""Preprocessing chosen by the type of the features."""

from __future__ import annotations

import numpy as np

from fedcli.components.data.dataset import Array
from fedcli.components.data.preprocessing.preprocessor import Preprocessor, Statistics
from fedcli.components.data.preprocessing.standardise import standardise


def automatic() -> Preprocessor:
    """Divide uint8 by 255, standardise floats, and leave other whole numbers as they are.

    Whole numbers of other types are taken for tokens or categories, which a model looks up.
    """
    floats = standardise()

    def fit(x: Array) -> Statistics:
        return floats.fit(x) if x.dtype.kind == "f" else {}

    def apply(x: Array, statistics: Statistics) -> Array:
        if x.dtype == np.uint8:
            return np.multiply(x, 1 / 255, dtype=np.float32)
        return floats.apply(x, statistics) if x.dtype.kind == "f" else x

    return Preprocessor(fit, apply, floats.pool)
