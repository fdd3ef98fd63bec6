"""How an experiment's updates are protected and summed: everything that `run` plans and refuses without the data."""

from __future__ import annotations

from typing import NamedTuple

from fedcli.components.encryption.scheme import Encryption
from fedcli.config import Experiment, Part
from fedcli.core.contracts import Cohort, Strategy
from fedcli.core.errors import ConfigError
from fedcli.core.types import Array
from fedcli.experiment.compatibility import cohort as cohorts
from fedcli.experiment.compatibility import pipeline
from fedcli.experiment.compose import with_colluders
from fedcli.experiment.make import make, placed
from fedcli.experiment.protection.calibration import calibrated
from fedcli.experiment.protection.collusion import planned_colluders
from fedcli.experiment.protection.encryption import planned_encryption
from fedcli.experiment.protection.fixed_point import check_sum
from fedcli.experiment.protection.order import recipe, sent, summed
from fedcli.privacy import Accountant, accountant_for


class PlannedProtocol(NamedTuple):
    """The plan of a run's sums.

    Args:
        experiment: the config, with the numbers that it left to fedcli: colluders, and the calibrated noise multiplier.
        strategy: with all transforms around it.
        cohort: samples the clients of a round.
        encryption: with its planned parameters; None without encryption.
        accountant: computes epsilon; None if the run is not private.
    """

    experiment: Experiment
    strategy: Strategy
    cohort: Cohort
    encryption: Encryption | None
    accountant: Accountant | None


def planned_protocol(
    experiment: Experiment, strategy: Strategy | None = None, *, num_clients: int, num_train: Array | None
) -> PlannedProtocol:
    """Build the strategy with everything around it, and refuse what does not fit together.

    `fedcli verify` calls this as well, so that it accepts no config that `fedcli run` would refuse.

    Args:
        experiment: the config.
        strategy: replaces the strategy of the config.
        num_clients: size of the population.
        num_train: training examples of each client, shape [number of clients]; None if the data is not loaded. Then
            it is not checked that the cohort can be drawn from clients with these examples.

    Raises:
        ConfigError: with the key of a value that cannot be used.
    """
    inner = summed(strategy or recipe(experiment), experiment)
    cohort: Cohort = make("cohort", experiment.cohort, kind=Cohort)
    with placed("cohort"):
        sampling = cohort.sampling(num_clients)
    cohorts.check(cohort, inner.strategy, num_train)
    pipeline.check(sent(inner, None), cohort, experiment, num_clients=num_clients)
    check_sum(experiment.fixed_point, num_clients=num_clients)
    if (
        strategy is None
        and (colluders := planned_colluders(experiment, inner.strategy, sampling)) is not None
    ):
        experiment = experiment.model_copy(
            update={"strategy": with_colluders(experiment.strategy, colluders)}
        )
        inner = summed(recipe(experiment), experiment)
    target = inner.strategy.privacy
    # After the checks above: calibration takes seconds.
    if strategy is None and target is not None and not target.is_calibrated:
        _refuse_open_noise(experiment)
        experiment = calibrated(experiment, sampling, target)
        # Made again, because the noise is in its transforms.
        inner = summed(recipe(experiment), experiment)
    # Only now that the noise is known, for which the fields of a ciphertext must have room.
    encryption = planned_encryption(inner.strategy, experiment, cohort=cohort, num_clients=num_clients)
    protected = sent(inner, encryption)
    event = protected.privacy_event
    return PlannedProtocol(
        experiment, protected, cohort, encryption, accountant_for(event, sampling) if event else None
    )


def _refuse_open_noise(experiment: Experiment) -> None:
    section = experiment.strategy
    if isinstance(section, Part) and section.value is not None:
        raise ConfigError(
            "the noise of this strategy is left to epsilon; it can be calculated only for a strategy that the config "
            "names.",
            key="strategy",
            hint="Make the object with a noise_multiplier, or name the strategy in the config.",
        )
