"""What the config of a run says about how its server moves the model. Custom components are never imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from fedcli import config
from fedcli.components.proofs.statements import NormBounds
from fedcli.core.contracts import Cohort, ServerOptimizer, Strategy
from fedcli.core.errors import ConfigError, FedcliError, MissingLibraryError, RunError
from fedcli.experiment.make import make, placed
from fedcli.experiment.planned_protocol import PlannedProtocol, planned_protocol
from fedcli.experiment.protection.order import in_the_clear
from fedcli.experiment.protection.proofs import bounds_of
from fedcli.runs.extension import extended
from fedcli.runs.kept_checkpoints import untrusted_experiment
from fedcli.runs.verification.report import Finding
from fedcli.store import directory

WHAT = "plan of the run"
# Without these nobody knows how the server moves the model, or what is committed to.
_OF_STRATEGY = ("strategy", "compression", "proofs")
# Planning makes these as well.
_OF_PROTOCOL = (*_OF_STRATEGY, "cohort", "encryption", "client.optimizer")


class Server(NamedTuple):
    """What moves the model.

    Args:
        bounds: the fixed-point grid of the updates, and the proved bounds on noise.
        optimizer: moves the weights along the mean.
        is_private: whether the sum is divided by the planned cohort.
        planned: the planned cohort size; None if the cohort is custom or the run is not private.
        min_clients: clients whose shares of noise a release needs, or whose updates a sum needs to be opened.
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
        num_clients: size of the population.
        experiment: its config.
        custom: custom components by their keys in the config; none of them is imported.
        refusal: why `run` would refuse the config, as a sentence; empty if it would not.
        missing: which library the plan needs and is not installed, as a sentence; empty if none.
        protocol: the plan of its sums; None if it is refused, or if a custom component is a part of it.
        strategy: the strategy with its proofs and without encryption; None if a part of it is custom.
        cohort: who takes part in a round; None if it is custom.
        server: None if the run has no proofs, or `strategy` is None.
    """

    run: str
    num_clients: int
    experiment: config.Experiment
    custom: Mapping[str, str]
    refusal: str
    missing: str
    protocol: PlannedProtocol | None
    strategy: Strategy | None
    cohort: Cohort | None
    server: Server | None

    @property
    def has_proofs(self) -> bool:
        """Whether updates come with proofs in a known format."""
        return self.experiment.proofs is not None and "proofs" not in self.custom

    @property
    def is_private(self) -> bool:
        """Whether the run states an epsilon for its rounds; False if its sums could not be planned."""
        return self.protocol is not None and self.protocol.accountant is not None

    @property
    def rounds(self) -> int:
        """The largest number of rounds."""
        return self.experiment.rounds

    @property
    def average_decay(self) -> float | None:
        """Decay of the moving average of the model; None if the run keeps none."""
        return self.experiment.average.decay if self.experiment.average else None

    def names_custom(self, *keys: str) -> list[str]:
        """The custom components at these keys of the config or below them, as sentences name them."""
        below = tuple(f"{key}." for key in keys)
        return [f"{key}: {name}" for key, name in self.custom.items() if key in keys or key.startswith(below)]

    @property
    def custom_server(self) -> list[str]:
        """The custom components without which no model can be replayed."""
        return self.names_custom(*_OF_STRATEGY)

    @property
    def custom_protocol(self) -> list[str]:
        """The custom components without which the config cannot be held against what `run` refuses."""
        return self.names_custom(*_OF_PROTOCOL)


def read_recipe(run: Path) -> Recipe:
    """The recipe of a run directory.

    Raises:
        FedcliError: if config.yaml or environment.json cannot be used, or there is no strategy of this config.
    """
    experiment = extended(untrusted_experiment(directory.config_text(run)), run)
    num_clients = _num_clients(run)
    recipe = Recipe(
        directory.read_run(run),
        num_clients,
        experiment,
        dict(config.custom_components(experiment)),
        refusal="",
        missing="",
        protocol=None,
        strategy=None,
        cohort=None,
        server=None,
    )
    if not recipe.names_custom("cohort"):
        cohort: Cohort = make("cohort", experiment.cohort, kind=Cohort)
        with placed("cohort"):
            cohort.sampling(num_clients)  # raises if it cannot be drawn from so many
        recipe = recipe._replace(cohort=cohort)
    if not recipe.custom_server:
        # With its proofs: a strategy that cannot have them moves no model that they are about.
        recipe = recipe._replace(strategy=in_the_clear(experiment))
    if not recipe.custom_protocol:
        recipe = _held(recipe)
    if recipe.has_proofs and recipe.strategy is not None:
        recipe = recipe._replace(server=_server(recipe, recipe.strategy))
    return recipe


def plans_proofs(run: Path, *, otherwise: bool) -> bool:
    """Whether the config plans proofs in a known format; `otherwise` if it cannot be read."""
    try:
        proofs = untrusted_experiment(directory.config_text(run)).proofs
    except FedcliError:
        return otherwise
    return proofs is not None and not config.is_reference(proofs.name)


def planned(run: Path) -> Recipe | Finding:
    """The run as its config plans it, or the finding that the config cannot be used.

    Raises:
        MissingLibraryError: if the library that verifies proofs is not installed.
    """
    try:
        return read_recipe(run)
    except MissingLibraryError:
        raise
    except FedcliError as error:
        sentence = f"{directory.CONFIG} cannot be used by this version of fedcli: {_said(error)}"
        return Finding(WHAT, None, directory.CONFIG, holds=False, sentence=sentence)


def _held(recipe: Recipe) -> Recipe:
    """The recipe with its protocol, or with the reason for which `run` would refuse it."""
    target = recipe.strategy.privacy if recipe.strategy is not None else None
    if target is not None and not target.is_calibrated:
        # Calculating it here would take seconds, and a run has written what it calculated.
        left = "the noise of the strategy is left to epsilon; a run writes the noise that it calculated"
        return recipe._replace(refusal=f"{left}.")
    try:
        made = planned_protocol(recipe.experiment, num_clients=recipe.num_clients, num_train=None)
        for key in ("devices", "client.schedule", "client.optimizer"):
            part = _at(recipe.experiment, key)
            if part is not None and not recipe.names_custom(key):
                make(key, part)
    except MissingLibraryError as error:
        return recipe._replace(missing=error.message)
    except ConfigError as error:
        return recipe._replace(refusal=_said(error))
    return recipe._replace(protocol=made)


def _said(error: FedcliError) -> str:
    if not isinstance(error, ConfigError) or isinstance(error, config.ConfigErrors):
        return str(error)
    return f"{error.key}: {error.message}" if error.key else error.message


def _at(experiment: config.Experiment, key: str) -> config.Part | None:
    found: object = experiment
    for name in key.split("."):
        found = getattr(found, name)
    return found if isinstance(found, config.Part) else None


def _server(recipe: Recipe, strategy: Strategy) -> Server:
    is_private, size = strategy.privacy_event is not None, None
    if is_private and recipe.cohort is not None:
        size = recipe.cohort.expected_size(recipe.num_clients)
    # Encryption opens no sum of fewer clients than it was planned for.
    whole = strategy if recipe.protocol is None else recipe.protocol.strategy
    return Server(bounds_of(strategy), strategy.server, is_private, size, whole.min_updates)


def _num_clients(run: Path) -> int:
    said = directory.read_json(run, directory.ENVIRONMENT).get("num_clients")
    if type(said) is not int or said < 1:
        raise RunError(f"{directory.ENVIRONMENT} does not say how many clients there are.")
    return said
