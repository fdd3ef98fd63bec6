"""Label flipping: malicious clients train on wrong labels."""

from __future__ import annotations

import numpy as np

from fedcli.components.attacks.attack import Attack, DataForm
from fedcli.components.attacks.labels import classes_of, require_class, require_classification, with_classes
from fedcli.core.errors import ConfigError
from fedcli.core.rounds import ClientData


def label_flip(form: DataForm, *, source: int | None = None, target: int | None = None) -> Attack:
    """Train on the labels C - 1 - y of C classes, or on `target` in place of `source`.

    Args:
        form: what is known of the data.
        source: the class whose labels are changed; every class by default.
        target: what they are changed to; C - 1 - y by default.

    Raises:
        ConfigError: if the data has no classes, a class does not exist, or only one of source and target is given.

    Reference: Fang et al. 2020, arXiv:1911.11815 (among its compared attacks); with source and target,
    Tolpegin et al. 2020, arXiv:2007.08432.
    """
    require_classification("label-flip", form)
    flipped = np.arange(form.num_outputs)[::-1].copy()
    if source is not None and target is not None:
        require_class("source", source, form)
        require_class("target", target, form)
        flipped = np.arange(form.num_outputs)
        flipped[source] = target
    elif source is not None or target is not None:
        given, missing = ("source", "target") if target is None else ("target", "source")
        raise ConfigError(
            f"labels are flipped from a source to a target; only the {given} is given.",
            key=given,
            hint=f"Give {missing} as well, or neither.",
        )

    def poison(data: ClientData, _rng: np.random.Generator) -> ClientData:
        y = data.y_train
        return data._replace(y_train=with_classes(y, flipped[classes_of(y)]))

    return Attack("label-flip", poison=poison)
