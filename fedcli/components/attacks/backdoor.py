"""A backdoor: a small mark on an image makes the model predict the attacker's class."""

from __future__ import annotations

import numpy as np

from fedcli.components.attacks.attack import Attack, DataForm
from fedcli.components.attacks.labels import classes_of, require_class, require_classification, with_classes
from fedcli.core.errors import ConfigError
from fedcli.core.ranges import require_count, require_positive_finite
from fedcli.core.rounds import ClientData
from fedcli.core.types import Array, Vector


def backdoor(
    form: DataForm,
    *,
    target: int = 0,
    poisoned_share: float = 0.5,
    boost: float = 10.0,
    size: int = 3,
    value: float = 1.0,
) -> Attack:
    """Train a part of the images with a mark and the label `target`, and send the update times `boost`.

    The mark is a square of `size` pixels in the lower right corner. The round's `attack/success_rate` is the
    share of marked test images of other classes that the global model takes for the target.

    Args:
        form: what is known of the data.
        target: the class that the model should predict for a marked image.
        poisoned_share: share of a malicious client's training images that are marked, in (0, 1].
        boost: factor of the update, above 0. If the server takes the mean, the number of clients in a round divided by
            the number of malicious ones replaces the global model by theirs.
        size: height and width of the mark in pixels, at least 1.
        value: the value of its pixels, after preprocessing.

    Raises:
        ConfigError: if the data is not images with classes, or a parameter is outside its range.

    Reference: Bagdasaryan et al. 2020, arXiv:1807.00459 (model replacement), without its anomaly-evading loss;
    the mark is that of Gu et al. 2017, arXiv:1708.06733.
    """
    require_classification("backdoor", form)
    require_class("target", target, form)
    require_positive_finite("boost", boost)
    require_count("size", size, at_least=1)
    if not 0 < poisoned_share <= 1:
        raise ConfigError(f"poisoned_share lies in (0, 1]; received {poisoned_share}.", key="poisoned_share")
    _check_images(form, size)

    def marked(x: Array) -> Array:
        x = x.copy()
        x[:, -size:, -size:, :] = value
        return x

    def poison(data: ClientData, rng: np.random.Generator) -> ClientData:
        count = len(data.y_train)
        rows = np.sort(rng.choice(count, round(poisoned_share * count), replace=False))
        # Copies, because a federation may return views of its own arrays.
        x, classes = data.x_train.copy(), classes_of(data.y_train).copy()
        x[rows], classes[rows] = marked(x[rows]), target
        return data._replace(x_train=x, y_train=with_classes(data.y_train, classes))

    def forge(update: Vector, _rng: np.random.Generator) -> Vector:
        return np.multiply(update, boost, dtype=np.float32)

    def trigger(x: Array, y: Array) -> tuple[Array, Array]:
        # Images of the target class would count as successes without any attack.
        others = classes_of(y) != target
        wanted = np.full(int(others.sum()), target, np.int64)
        return marked(x[others]), with_classes(y[others], wanted)

    return Attack("backdoor", poison=poison, forge=forge, trigger=trigger)


def _check_images(form: DataForm, size: int) -> None:
    if len(form.input_shape) != 3:
        raise ConfigError(
            f"a backdoor marks images [height, width, channels]; an example has shape {list(form.input_shape)}.",
            key="name",
            hint="Use a dataset of images without the preprocessing step flatten, or another attack.",
        )
    if size > min(form.input_shape[:2]):
        raise ConfigError(
            f"the mark is {size} pixels wide; an image has {form.input_shape[0]} x {form.input_shape[1]}.",
            key="size",
        )
