"""One-hot targets."""

from __future__ import annotations

import numpy as np

from fedcli.components.data.dataset import Array
from fedcli.components.data.preprocessing.preprocessor import Preprocessor
from fedcli.core.errors import ConfigError


def one_hot(*, num_classes: int) -> Preprocessor:
    """Turn the labels (not the features) into one-hot targets [n, num_classes].

    For losses such as `categorical_crossentropy`; the default losses take whole-number labels as they are.
    Text columns of a csv are already one-hot features when it is read.

    Args:
        num_classes: the dataset's number of classes, at least 2.

    Raises:
        ConfigError: if it is less than 2; on use, if it differs from the dataset's or the task is regression.

    Example: num_classes=10

    Needs: task={'loss': 'categorical_crossentropy', 'metrics': ['categorical_accuracy']}
    """
    if num_classes < 2:
        raise ConfigError(f"num_classes is {num_classes}; expected at least 2.", key="num_classes")

    def labels(y: Array) -> Array:
        # One-hot rows and the targets of a regression are floats or have two dimensions.
        if y.dtype.kind != "i" or y.ndim != 1:
            raise ConfigError(
                f"one_hot received targets {y.dtype} {list(y.shape)}; expected the labels of classes."
            )
        if y.max(initial=0) >= num_classes:
            raise ConfigError(
                f"one_hot received the label {y.max()} with num_classes = {num_classes}.", key="num_classes"
            )
        return np.eye(num_classes, dtype=np.float32)[y]

    return Preprocessor(labels=labels)
