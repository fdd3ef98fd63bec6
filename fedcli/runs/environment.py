"""The environment of a run: everything but the config that its bits depend on."""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import fedcli
from fedcli.components.clients.runtime.devices import device_kind, device_name, driver_version
from fedcli.components.data import PartitionedFederation
from fedcli.components.proofs.context import PROTOCOL
from fedcli.config import Experiment
from fedcli.core.errors import FedcliError, RunError
from fedcli.core.machine import (
    FLAGS_OF_BITS,
    PACKAGES_OF_BITS,
    available_cores,
    processor_name,
    vector_features,
)
from fedcli.core.roles import Choosing
from fedcli.engine.setup import Assembly
from fedcli.runs.code_version import command_line, git_state, source_of_fedcli
from fedcli.runs.data_key import digest_of
from fedcli.runs.identities import public_keys
from fedcli.runs.other_executor import executor_instead
from fedcli.store.directory import ENVIRONMENT
from fedcli.store.files import guarded, limits

_PACKAGES = (*PACKAGES_OF_BITS, "scikit-learn", "dp-accounting", "cryptography")
_FLAGS = (*FLAGS_OF_BITS, "TF_NUM_INTRAOP_THREADS")


def describe_environment(assembly: Assembly) -> dict[str, Any]:
    """Content of environment.json."""
    keys = public_keys(assembly)
    return {
        "run": assembly.run_id,
        # What its proofs and signatures are bound to; a run of an earlier version has no such entry.
        "protocol": PROTOCOL,
        # `verify` needs it, and does not load the data.
        "num_clients": assembly.num_clients,
        **({} if keys is None else {"keys": keys.in_hexadecimal()}),
        # What the privacy statement needs of the data and of the day, so that `verify` makes the same one.
        "begun": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "has_public_test": assembly.setup.has_public_test,
        **_num_examples(assembly),
        "fitted_preprocessing": _is_fitted(assembly),
        **_data_key(assembly),
        "fedcli": fedcli.__version__,
        # Which code ran, where it is under version control; null elsewhere.
        "git": {"fedcli": source_of_fedcli(), "working_folder": git_state(Path.cwd())},
        "command": command_line(),
        "python": platform.python_version(),
        "packages": {package: version(package) for package in (*_PACKAGES, *_also(assembly))},
        "platform": platform.platform(),
        "processor": processor_name(),
        "cpu_features": vector_features(),
        "device": device_kind(),
        # Null on a CPU, which `processor` names.
        "device_name": device_name(),
        "driver": driver_version(),
        "cores": available_cores(),
        "workers": assembly.executor.num_workers,
        **_choice(assembly),
        # Fixed by every executor: with more, the bits of convolutions would depend on how many there are.
        "intra_op_threads": 1,
        # XLA rounds differently, so that this decides the bits too.
        "client_program": _client_program(assembly),
        "flags": {flag: os.environ[flag] for flag in _FLAGS if flag in os.environ},
    }


def read_environment(folder: Path) -> dict[str, Any]:
    """Content of environment.json of a run directory; empty if it cannot be read, which `verify` reports."""
    try:
        content = guarded.read_bytes(folder / ENVIRONMENT, below=folder, limit=limits.JSON)
        found = json.loads(content)
    except (RunError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def where_trained(folder: Path, experiment: Experiment) -> str:
    """The end of the first line of a run: its device, by the name that the driver gives it, unless it is a CPU; and
    what its executor chose, if it had a choice, or which one has taken its place.
    """
    environment = read_environment(folder)
    kind = str(environment.get("device", "CPU"))
    device = "" if kind == "CPU" else f" on {environment.get('device_name') or kind}"
    executor = environment.get("executor")
    # Whoever reads the line can do without it; what goes on with the run refuses a config that is not there.
    with suppress(FedcliError):
        executor = executor_instead(folder, experiment) or executor
    return f"{device}, executor {executor}" if executor else device


def _choice(assembly: Assembly) -> dict[str, str]:
    return {"executor": assembly.executor.choice} if isinstance(assembly.executor, Choosing) else {}


def _also(assembly: Assembly) -> tuple[str, ...]:
    """Packages that the executor needs. They decide where clients train, and no bit."""
    packages: tuple[str, ...] = getattr(assembly.executor, "packages", ())
    return packages


def _client_program(assembly: Assembly) -> str:
    """What compiles it, and whether it trains several clients at once, which adds in another order."""
    form = getattr(assembly.executor, "program", None)
    compiler = assembly.clients.side.runtime.compiler
    return compiler if form is None else f"{compiler}, {form}"


def _is_fitted(assembly: Assembly) -> bool:
    """Whether model.json has statistics of clients' examples, which the privacy statement must name."""
    federation = assembly.world.federation
    return isinstance(federation, PartitionedFederation) and any(federation.fitted)


def _data_key(assembly: Assembly) -> dict[str, str]:
    """The digest of the key of the noise on the clients' data, which a resumption must draw again."""
    noise = assembly.world.data_noise
    return {} if noise is None or noise.key is None else {"data_key": digest_of(noise.key)}


def _num_examples(assembly: Assembly) -> dict[str, int]:
    # Under a claim about examples their number is sensitive; it is published where clients.jsonl has it anyway.
    if assembly.strategy.trainer.privacy is None or assembly.protocol.publishes_noised_only:
        return {}
    return {"num_examples": int(np.sum(assembly.world.federation.num_train))}
