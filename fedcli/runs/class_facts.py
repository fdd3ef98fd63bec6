"""What a model says of each class of the test set, as `fedcli evaluate` prints it."""

from __future__ import annotations

from collections.abc import Sequence

from fedcli.components.clients.runtime.task import SCORES
from fedcli.core.rounds import RoundState
from fedcli.engine.class_scores import by_class, scores
from fedcli.engine.evaluation import predictions
from fedcli.engine.records import Row
from fedcli.engine.setup import Assembly

MOST_CLASSES = 100
"""With more classes the matrix of C x C numbers is left out."""


def class_facts(assembly: Assembly, state: RoundState) -> Row:
    """Every score, the figures of each class, and the confusion matrix; empty for a regression.

    Returns:
        The scores by name; `classes`, one row a class with its examples, accuracy (recall), precision and F1; and
        `confusion`, whose rows are the right classes and whose columns the predicted ones, null above 100 classes.
    """
    federation = assembly.world.federation
    if federation.task != "classification":
        return {}
    found = predictions(assembly, state)
    confusion = found.confusion()
    names = _names(federation, len(confusion))
    return {
        **scores(SCORES, found),
        "classes": [
            {"class": name, **figures._asdict()}
            for name, figures in zip(names, by_class(confusion), strict=True)
        ],
        "confusion": confusion.tolist() if len(confusion) <= MOST_CLASSES else None,
    }


def _names(federation: object, count: int) -> Sequence[str]:
    """The names of the classes, or their numbers where the dataset has no names."""
    named = getattr(getattr(federation, "source", None), "class_names", None)
    return tuple(named) if named and len(named) == count else tuple(map(str, range(count)))
