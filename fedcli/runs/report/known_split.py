"""How the examples were divided, calculated again from the config, since a run does not write it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fedcli import config
from fedcli.components.data.datasets.fashion_mnist import SYSTEM_FOLDER
from fedcli.components.data.datasets.idx import IDX_FILES
from fedcli.components.data.federation import PartitionedFederation
from fedcli.core.errors import ConfigError
from fedcli.experiment.federation import federation_of
from fedcli.experiment.protection.order import recipe
from fedcli.runs.data_split import DataSplit, split_of_federation

# Built-in data without a download, and the folder that must be there for it.
_MADE_HERE = {"digits": None, "synthetic": None, "synthetic_regression": None, "fashion_mnist": SYSTEM_FOLDER}


class KnownSplit(NamedTuple):
    """The split of a run's data.

    Args:
        clients: the examples of every client.
        num_test: examples of the central test set.
    """

    clients: DataSplit
    num_test: int


def known_split(experiment: config.Experiment) -> KnownSplit | str:
    """The split of a config, or a sentence on why it cannot be calculated.

    Only data that come with fedcli or with the system are loaded: a config may be a stranger's, and a path or a module
    in it would be opened or run. Nothing is downloaded.
    """
    data = experiment.data.part
    if experiment.privacy.publish == "noised-only":
        return "The run publishes noised figures only, so that its report does not show the clients' data."
    if data.name not in _MADE_HERE or data.parameters.get("path"):
        return (
            f"The run directory does not hold the labels, and the report opens no data of its own: it shows the "
            f"split of built-in data, not of {data.name}."
        )
    needed = _MADE_HERE[data.name]
    if needed and not _is_installed():
        return f"The data is not in {needed}, and the report downloads nothing."
    if any(config.is_reference(text) for text in _texts(config.flat(experiment))):
        return (
            "The config names code of the user's own, which the report does not run to calculate the split."
        )
    try:
        federation, _ = federation_of(experiment, recipe(experiment), key=None)
    except ConfigError as error:
        return f"The split cannot be calculated again: {error}"
    if not isinstance(federation, PartitionedFederation):
        return "The data come divided, by another version of fedcli than this one."
    return KnownSplit(split_of_federation(federation), len(federation.source.y_test))


def _is_installed() -> bool:
    return all(any((SYSTEM_FOLDER / f"{name}{end}").is_file() for end in ("", ".gz")) for name in IDX_FILES)


def _texts(value: object) -> Iterator[str]:
    """All texts in the values of a config."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _texts(below)
