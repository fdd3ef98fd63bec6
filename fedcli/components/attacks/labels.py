"""Labels in the two forms of targets: class numbers [n], or one-hot rows [n, C]."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fedcli.components.attacks.attack import DataForm
from fedcli.core.errors import ConfigError
from fedcli.core.types import Array


def classes_of(y: Array) -> npt.NDArray[np.int64]:
    """The class of each target, shape [n]."""
    return np.asarray(y.argmax(axis=1) if y.ndim == 2 else y, np.int64)


def with_classes(y: Array, classes: npt.NDArray[np.int64]) -> Array:
    """Targets of the given classes [n], in the form and type of `y`."""
    # In the type of `y`, because the compiled program is traced once for all clients.
    return np.eye(y.shape[1], dtype=y.dtype)[classes] if y.ndim == 2 else classes.astype(y.dtype)


def require_classification(name: str, form: DataForm) -> None:
    """Refuse data without classes.

    Raises:
        ConfigError: if the task is not classification.
    """
    if form.task != "classification":
        raise ConfigError(
            f"{name} changes labels; the data is for {form.task}.",
            key="name",
            hint="Use an attack on updates, such as sign-flip, or a dataset for classification.",
        )


def require_class(key: str, value: int, form: DataForm) -> None:
    """Refuse a number that is not a class of the data.

    Raises:
        ConfigError: with `key` as its key.
    """
    if not 0 <= value < form.num_outputs:
        raise ConfigError(f"the classes are 0 to {form.num_outputs - 1}; received {value}.", key=key)
