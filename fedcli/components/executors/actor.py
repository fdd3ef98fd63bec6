"""A worker of the executor `ray`: what runs in an actor's process, on any machine."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, final

from fedcli.components.executors.gpus import product_name
from fedcli.components.executors.parcels import Parcel, packed, portable, unpacked
from fedcli.core.errors import RunError
from fedcli.core.machine import FLAGS_OF_BITS, PACKAGES_OF_BITS, vector_features

_FLAGS = (*FLAGS_OF_BITS, "TF_NUM_INTRAOP_THREADS", "TF_CPP_MIN_LOG_LEVEL")


class Surroundings(NamedTuple):
    """What the driver's process has, and a worker needs in the same way.

    Args:
        folder: the working folder, from which relative paths of data lead.
        path: where Python looks for modules, custom ones among them.
        flags: variables of the environment for TensorFlow.
        packages: versions that decide bits.
        features: the instructions of the processor that decide bits.
        device: the product name of its GPU, or `CPU`.
    """

    folder: str
    path: tuple[str, ...]
    flags: Mapping[str, str]
    packages: Mapping[str, str]
    features: tuple[str, ...]
    device: str


def surroundings() -> Surroundings:
    """Those of this process."""
    flags = {name: os.environ[name] for name in _FLAGS if name in os.environ}
    path = tuple(map(os.path.abspath, sys.path))
    return Surroundings(str(Path.cwd()), path, flags, _versions(), tuple(vector_features()), product_name())


def adopt_flags(flags: Mapping[str, str]) -> None:
    """Give this process the driver's flags and no others; TensorFlow reads them when it is imported."""
    for name in _FLAGS:
        os.environ.pop(name, None)
    os.environ |= flags


def require_same_versions(own: Mapping[str, str], driver: Mapping[str, str]) -> None:
    """Refuse other versions than the driver's.

    Raises:
        RunError: with the first that differs.
    """
    for name, version_here in own.items():
        if version_here != driver.get(name):
            raise RunError(
                f"it has {name} {version_here}; the driver has {driver.get(name)}. Other versions give other bits.\n"
                "Install the same versions on all nodes."
            )


def require_same_machine(features: Sequence[str], device: str, driver: Surroundings) -> None:
    """Refuse a processor or a device on which the same program gives other bits than on the driver's.

    Raises:
        RunError: with what differs.
    """
    if set(features) != set(driver.features):
        lacks, adds = (
            ", ".join(sorted(each)) or "none"
            for each in (set(driver.features) - set(features), set(features) - set(driver.features))
        )
        raise RunError(
            f"its processor lacks instructions of the driver's ({lacks}), or has others ({adds}). Other "
            "instructions give other bits.\nUse nodes with the same processor."
        )
    if device != driver.device:
        raise RunError(
            f"it trains on another device ({device}) than the driver's ({driver.device}), which gives other bits.\n"
            "Use nodes with the same GPU, or hide the GPUs with CUDA_VISIBLE_DEVICES=-1 before `ray start`."
        )


@final
class Worker:
    """Does items of the work that it was given last. Its methods are called one after another."""

    def __init__(self, driver: Surroundings) -> None:
        self._driver = driver
        self._work: Any = None
        self._act: Callable[[Any], Any] | None = None
        self._failure: Exception | None = None

    def prepare(self) -> tuple[str, Parcel | None]:
        """Make this process like the driver's; its machine's name, and a parcel with an error if that failed."""
        machine = f"{socket.gethostname()}, process {os.getpid()}"
        try:
            _prepare(self._driver)
        except Exception as error:  # noqa: BLE001 - raised again in the driver's process
            return machine, packed(portable(error))
        return machine, None

    def begin(self, parcel: Parcel) -> Parcel | None:
        """Take the work of a round, and return a parcel with an error if it cannot be begun."""
        self._work = self._act = self._failure = None
        try:
            # Its arrays are views of the shared memory of this machine, which nobody may write to.
            self._work = unpacked(parcel)
            self._act = self._work.begin()
        except Exception as error:  # noqa: BLE001 - raised again where results are awaited
            self._failure = error
            return packed(portable(error))
        return None

    def do(self, parcel: Parcel, folds: bool) -> Parcel:
        """Whether the items have results, and the results or the error that the work raised."""
        try:
            if self._act is None:
                raise self._failure or RunError("a worker received items before their work.")
            results = [self._act(item) for item in unpacked(parcel)]
            return packed((True, self._work.fold(results) if folds else results))
        except Exception as error:  # noqa: BLE001 - raised again where results are awaited
            return packed((False, portable(error)))


def _prepare(driver: Surroundings) -> None:
    from fedcli.core.concealment import forbid_core_dumps
    from fedcli.crypto.workers import stay_in_this_process

    # Work holds keys and openings of clients.
    forbid_core_dumps()
    stay_in_this_process()
    adopt_flags(driver.flags)
    if os.path.isdir(driver.folder):
        os.chdir(driver.folder)
    # Behind what is there: a machine's own installation comes first.
    sys.path.extend(place for place in driver.path if place not in sys.path)
    # Before TensorFlow is loaded, of which a wrong version may fail with another message.
    require_same_versions(_versions(), driver.packages)
    from fedcli.components.executors.threads import limit_tensorflow_threads

    # It lets the memory of a GPU grow as well: a share of a GPU is no limit, and the first worker would take all of it.
    limit_tensorflow_threads(1)
    require_same_machine(vector_features(), product_name(), driver)


def _versions() -> dict[str, str]:
    python = ".".join(map(str, sys.version_info[:3]))
    # Not imported, since components do not depend on what is above them; and a checkout has no metadata.
    return {
        "fedcli": sys.modules["fedcli"].__version__,
        "Python": python,
        **{each: version(each) for each in PACKAGES_OF_BITS},
    }
