"""What the config of a run says of how its server moves the model; parts of the user's own are never imported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from fedcli import build, config, proving, store
from fedcli.core.errors import RunError
from fedcli.core.types import Cohort, ServerOptimizer
from fedcli.making import make
from fedcli.transforms.norm_bounds import NormBounds


class Server(NamedTuple):
    """What moves the model.

    Args:
        bounds: the grid of the updates, and what is proved of noise.
        optimizer: moves the weights along the mean.
        is_private: whether the sum is divided by the planned cohort.
        planned: the planned cohort; None where it is the user's own, or the run is not private.
    """

    bounds: NormBounds
    optimizer: ServerOptimizer
    is_private: bool
    planned: float | None

    @property
    def has_noise(self) -> bool:
        """Whether clients or the server add noise to the sum."""
        return self.bounds.has_shares or self.bounds.central_deviation is not None


class Recipe(NamedTuple):
    """A run as it was planned.

    Args:
        run: its name.
        rounds: at most so many.
        num_clients: size of the population.
        clients_dealt: clients that the config deals data out to, where it says so.
        has_proofs: whether updates come with proofs in the format that is known here.
        moves_statistics: whether clients send non-trainable weights, of which nothing is proved.
        average_decay: of a run that keeps an average of its model.
        server: None where the strategy is a part of the user's own.
        foreign: the parts that are not imported though they matter here.
    """

    run: str
    rounds: int
    num_clients: int
    clients_dealt: int | None
    has_proofs: bool
    moves_statistics: bool
    average_decay: float | None
    server: Server | None
    foreign: tuple[str, ...]


def read_recipe(run: Path) -> Recipe:
    """The recipe of a run directory.

    Raises:
        FedcliError: if config.yaml or environment.json cannot be used.
    """
    planned = config.load(store.read_config(run), imports=False).experiment
    parts = {"strategy": planned.strategy, "cohort": planned.cohort, "proofs": planned.proofs}
    foreign = tuple(name for name, part in parts.items() if part is not None and ":" in part.name)
    num_clients = _num_clients(run)
    dealt = planned.data.partition.parameters.get("clients") if planned.data.partition else None
    return Recipe(
        store.read_run(run),
        planned.rounds,
        num_clients,
        dealt if type(dealt) is int else None,
        planned.proofs is not None and "proofs" not in foreign,
        planned.model.non_trainable == "federated",
        planned.average.decay if planned.average else None,
        None if "strategy" in foreign else _server(planned, num_clients, own_cohort="cohort" in foreign),
        foreign,
    )


def _server(planned: config.Experiment, num_clients: int, *, own_cohort: bool) -> Server | None:
    # What encodes and proves has no share in how the model moves from the opened sum.
    bare = build.strategy_of(planned.model_copy(update={"proofs": None, "compression": None}))
    if all(part.grid is None for part in bare.transforms):
        return None
    is_private, size = bare.privacy is not None, None
    if is_private and not own_cohort:
        size = make("cohort", planned.cohort, kind=Cohort).expected_size(num_clients)
    return Server(proving.bounds_of(bare), bare.server, is_private, size)


def _num_clients(run: Path) -> int:
    try:
        said: Any = json.loads((run / store.ENVIRONMENT).read_bytes())["num_clients"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        said = None
    if type(said) is not int or said < 1:
        raise RunError(f"{store.ENVIRONMENT} does not say how many clients there are.")
    return said
