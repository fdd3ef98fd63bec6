"""How the examples were divided, calculated again from the config, since a run does not write it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.components.data import Dataset
from fedcli.components.data.datasets.fashion_mnist import SYSTEM_FOLDER
from fedcli.components.data.datasets.idx import IDX_FILES
from fedcli.components.data.partitions.partition import Partition
from fedcli.config import Experiment, Part, installed
from fedcli.core.errors import ConfigError
from fedcli.core.seeds import SERVER, generator, seed
from fedcli.experiment.make import make

_MADE_HERE = ("digits", "synthetic", "synthetic_regression")


class SplitCounts(NamedTuple):
    """The training examples of every client, validation examples included.

    Args:
        counts: by client and class, [K, C]; for a regression one column.
        classes: names of the columns; empty for a regression.
        num_test: examples of the central test set.
    """

    counts: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    num_test: int


def split_counts(experiment: Experiment) -> SplitCounts | str:
    """The split of a config, or a sentence on why it cannot be calculated.

    Only data that come with fedcli or with the system are loaded: a config may be a stranger's, and a path or a module
    in it would be opened or run. Nothing is downloaded.
    """
    data = experiment.data
    if experiment.privacy.publish == "noised-only":
        return "The run publishes noised figures only, so that its report does not show the clients' data."
    if data.part.name not in (*_MADE_HERE, "fashion_mnist") or data.part.parameters.get("path"):
        return (
            f"The run directory does not hold the labels, and the report opens no data of its own: it shows the "
            f"split of built-in data, not of {data.part.name}."
        )
    if data.part.name == "fashion_mnist" and not _is_installed():
        return f"Fashion-MNIST is not in {SYSTEM_FOLDER}, and the report downloads nothing."
    if data.partition is None or data.partition.name not in installed("data.partition"):
        return "The data are divided by code of the user's own, which the report does not run."
    try:
        return _counted(experiment.seed, data.part, data.partition)
    except ConfigError as error:
        return f"The split cannot be calculated again: {error}"


def _is_installed() -> bool:
    return all(any((SYSTEM_FOLDER / f"{name}{end}").is_file() for end in ("", ".gz")) for name in IDX_FILES)


def _counted(root: int, data: Part, partition: Part) -> SplitCounts:
    # The same seeds as those of a run, in experiment/federation.py.
    dataset: Dataset = make("data", data, seed(root, 0, SERVER, "data"), kind=Dataset)
    dealt: Partition = make(
        "data.partition", partition, dataset, generator(root, 0, SERVER, "partition"), kind=Partition
    )
    num_test = len(dataset.y_test)
    if dataset.task != "classification":
        return SplitCounts(dealt.sizes[:, np.newaxis], (), num_test)
    num_classes = dataset.num_outputs
    cells = dealt.owners() * num_classes + dataset.y
    counts = np.bincount(cells, minlength=dealt.num_clients * num_classes)
    return SplitCounts(counts.reshape(-1, num_classes), tuple(map(str, range(num_classes))), num_test)
