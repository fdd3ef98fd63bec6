"""The clients' data, built from `data`: dataset, partition, preprocessing, and noise on examples."""

from __future__ import annotations

import hmac
import secrets
from typing import Any, cast

from fedcli.components.data import CheckedFederation, Dataset, Federation, Partition, Preprocessor, federate
from fedcli.components.data.federation import NoiseKey
from fedcli.components.data.preprocessing.checked_step import checked_step
from fedcli.config import Data, Experiment, is_reference
from fedcli.core.contracts import Strategy
from fedcli.core.errors import ConfigError
from fedcli.core.seeds import SERVER, generator, seed
from fedcli.crypto.noise import KEY_BYTES
from fedcli.engine.setup import DataNoise
from fedcli.experiment.compatibility import single_examples
from fedcli.experiment.make import make, placed


def federation_of(
    experiment: Experiment, strategy: Strategy, *, key: bytes | None
) -> tuple[Federation, DataNoise | None]:
    """The clients' data, and the noise that preprocessing adds to it; None without noise.

    Args:
        experiment: the config.
        strategy: how the clients train, which decides what one example may change.
        key: key of the noise, if a run has drawn it before.

    Raises:
        ConfigError: with the key of a value that cannot be used.
    """
    root, data = experiment.seed, experiment.data
    dataset = make("data", data.part, seed(root, 0, SERVER, "data"))
    if not isinstance(dataset, Dataset):
        return _own_federation(dataset, data), None
    if data.partition is None:
        raise ConfigError(
            "this dataset must be divided among clients; data.partition is missing.",
            key="data.partition",
            hint="Add for example partition: {name: iid, clients: 10}.",
        )
    rng = generator(root, 0, SERVER, "partition")
    partition = make("data.partition", data.partition, dataset, rng, kind=Partition)
    steps = steps_of(data)
    single_examples.check(dataset, steps, strategy)
    single_examples.check_split(partition, data.validation_fraction, strategy)
    if experiment.privacy.publish == "noised-only" and any(step.pool for step in steps):
        raise ConfigError(
            "a fitted step transforms the test set with statistics pooled over the clients, without noise; "
            "privacy.publish is noised-only.",
            key="data.preprocessing",
            hint="Use steps with constants, such as scale, or privacy.publish: all.",
        )
    # A resumed run must draw the same noise: the mean of two draws would have less.
    protections = [step.protection for step in steps if step.protection is not None]
    seeded = experiment.privacy.reproducible_noise
    # Whoever knows the seed could take noise away that follows from it.
    if protections and key is None and not seeded:
        key = secrets.token_bytes(KEY_BYTES)
    with placed("data"):
        federation = federate(
            dataset,
            partition,
            preprocessing=steps,
            validation_fraction=data.validation_fraction,
            by_example=strategy.trainer.privacy is not None,
            root_seed=root,
            noise_key=_seeded_keys(root) if key is None else _keys(key),
        )
    # There is one at most: `federate` refuses a second.
    return federation, DataNoise(protections[0], None if seeded else key) if protections else None


def steps_of(data: Data) -> list[Preprocessor]:
    """The steps of preprocessing, each custom one with checks of what it returns.

    Raises:
        ConfigError: if one cannot be made.
    """
    steps = []
    for index, part in enumerate(data.preprocessing):
        made = make("data.preprocessing", part, key=f"data.preprocessing.{index}", kind=Preprocessor)
        steps.append(checked_step(made, part.name) if is_reference(part.name) else made)
    return steps


def _keys(key: bytes) -> NoiseKey:
    # A key for each part: two parts with the same noise would reveal their difference.
    return lambda client, part: hmac.digest(key, f"{client}:{part}".encode(), "sha256")


def _seeded_keys(root: int) -> NoiseKey:
    return lambda client, part: generator(root, 0, client, f"noise on {part} data").bytes(KEY_BYTES)


def _own_federation(made: Any, data: Data) -> Federation:
    received = "the factory returned a" if data.part.value is None else "the object is a"
    # By its attributes, since a custom federation need not inherit from anything.
    if not all(hasattr(made, name) for name in vars(Federation) if not name.startswith("_")):
        raise ConfigError(
            f"{received} {type(made).__name__}; a fedcli Dataset or Federation is expected.",
            key="data.name",
        )
    if data.partition is not None:
        raise ConfigError(
            f"{received} Federation, which is divided already; a partition has no effect.",
            key="data.partition",
            hint="Remove data.partition.",
        )
    # Checked client by client as they are made: there may be a million, of which a run needs a few.
    return CheckedFederation(cast(Federation, made))
