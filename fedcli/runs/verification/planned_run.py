"""What the config of a run says about how its server moves the model. Custom components are never imported."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from fedcli import config
from fedcli.components.proofs.statements import NormBounds
from fedcli.core.contracts import Cohort, ServerOptimizer
from fedcli.core.errors import ConfigError, FedcliError, RunError
from fedcli.experiment.make import make
from fedcli.experiment.protection.mechanism_columns import MECHANISM_COLUMNS
from fedcli.experiment.protection.order import in_the_clear
from fedcli.experiment.protection.proofs import bounds_of
from fedcli.runs.kept_checkpoints import retention_of
from fedcli.runs.verification.report import Finding
from fedcli.store import directory
from fedcli.store.retention import Retention

WHAT = "plan of the run"
_LEFT_OUT = {
    "strategy": "the step from each sum to the next model was not checked",
    "cohort": "the divisor and the share of a private round were taken from the round itself",
    "proofs": "only the files of proofs were checked",
}


class Server(NamedTuple):
    """What moves the model.

    Args:
        bounds: the fixed-point grid of the updates, and the proved bounds on noise.
        optimizer: moves the weights along the mean.
        is_private: whether the sum is divided by the planned cohort.
        planned: the planned cohort size; None if the cohort is custom or the run is not private.
        min_clients: clients whose shares of noise a release needs.
    """

    bounds: NormBounds
    optimizer: ServerOptimizer
    is_private: bool
    planned: float | None
    min_clients: int

    @property
    def has_noise(self) -> bool:
        """Whether clients or the server add noise to the sum."""
        return self.bounds.has_shares or self.bounds.central_deviation is not None


class Recipe(NamedTuple):
    """A run as it was planned.

    Args:
        run: its name.
        rounds: the largest number of rounds.
        num_clients: size of the population.
        clients_dealt: clients among which the config distributes the data; None if it does not say.
        has_proofs: whether updates come with proofs in a known format.
        moves_statistics: whether clients send non-trainable weights, about which nothing is proved.
        average_decay: decay of the moving average of the model; None if the run keeps none.
        server: None if the strategy is a custom component.
        foreign: custom components that matter here and are not imported.
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
    planned = _experiment(directory.config_text(run))
    parts = {"strategy": planned.strategy, "cohort": planned.cohort, "proofs": planned.proofs}
    foreign = tuple(name for name, part in parts.items() if part is not None and _is_foreign(part))
    num_clients = _num_clients(run)
    dealt = planned.data.partition.parameters.get("clients") if planned.data.partition else None
    return Recipe(
        directory.read_run(run),
        planned.rounds,
        num_clients,
        dealt if type(dealt) is int else None,
        planned.proofs is not None and "proofs" not in foreign,
        planned.model.non_trainable == "federated",
        planned.average.decay if planned.average else None,
        None if "strategy" in foreign else _server(planned, num_clients, own_cohort="cohort" in foreign),
        foreign,
    )


def planned_retention(run: Path) -> Retention:
    """Which checkpoints the config lets the run prune; none if the config cannot be used, which `planned` reports."""
    try:
        return retention_of(
            _experiment(directory.config_text(run)),
            # The run's own mechanisms are known only once its components are made.
            [column for columns in MECHANISM_COLUMNS.values() for column in columns],
        )
    except FedcliError:
        return Retention()


def planned(run: Path) -> Recipe | Finding:
    """The run as its config plans it, or the finding that the config cannot be used."""
    try:
        return read_recipe(run)
    except FedcliError as error:
        said = error.message if type(error) is ConfigError else str(error)
        sentence = (
            f"{directory.CONFIG} cannot be used by this version of fedcli, so no round was replayed: {said}"
        )
        return Finding(WHAT, None, directory.CONFIG, holds=False, sentence=sentence)


def checked_plan(recipe: Recipe) -> Iterator[Finding]:
    """Check the number of clients, and note what is not checked because of custom components."""
    if recipe.clients_dealt not in (None, recipe.num_clients):
        sentence = (
            f"{directory.ENVIRONMENT} says that there are {recipe.num_clients} clients; "
            f"{directory.CONFIG} distributes data among {recipe.clients_dealt}."
        )
        yield Finding(WHAT, None, directory.ENVIRONMENT, holds=False, sentence=sentence)
    if not recipe.has_proofs and "proofs" not in recipe.foreign:
        sentence = f"{directory.CONFIG} plans no proofs, so {_LEFT_OUT['proofs']}."
        yield Finding(WHAT, None, directory.CONFIG, sentence=sentence)
    for name in recipe.foreign:
        sentence = f"{directory.CONFIG} names a custom {name}, which is not imported: {_LEFT_OUT[name]}."
        yield Finding(WHAT, None, directory.CONFIG, sentence=sentence)


def _is_foreign(section: config.Part | config.WrittenStrategy) -> bool:
    """Whether a component, or a part of a strategy that is written out, is not one of fedcli's own."""
    if isinstance(section, config.Part):
        return ":" in section.name
    parts = [section.client, *section.transforms, section.aggregator, section.server_optimizer]
    return any(_is_foreign(part) for part in parts)


# The plan and the retention policy are both read from the same text.
@lru_cache(maxsize=4)
def _experiment(text: str) -> config.Experiment:
    # Whoever verifies a run does not trust it, and an import would run its code.
    return config.loads(text, directory.CONFIG, imports=False).experiment


def _server(planned: config.Experiment, num_clients: int, *, own_cohort: bool) -> Server | None:
    # Encoding and proving do not affect how the model moves from the opened sum.
    bare = in_the_clear(planned.model_copy(update={"proofs": None}))
    if all(part.grid is None for part in bare.transforms):
        return None
    is_private, size = bare.privacy is not None, None
    if is_private and not own_cohort:
        size = make("cohort", planned.cohort, kind=Cohort).expected_size(num_clients)
    return Server(bounds_of(bare), bare.server, is_private, size, bare.min_updates)


def _num_clients(run: Path) -> int:
    said = directory.read_json(run, directory.ENVIRONMENT).get("num_clients")
    if type(said) is not int or said < 1:
        raise RunError(f"{directory.ENVIRONMENT} does not say how many clients there are.")
    return said
