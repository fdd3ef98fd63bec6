"""What is put around a strategy in a run, and how much noise it adds."""

from __future__ import annotations

from fedcli.components.encryption.scheme import Encryption
from fedcli.components.transforms import arrival
from fedcli.config import Experiment, Part
from fedcli.core.contracts import Strategy, Transform
from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import Event, PrivacyTarget, Sampling
from fedcli.experiment.make import make, placed
from fedcli.experiment.protection.encryption import check_encryptable, encrypted
from fedcli.experiment.protection.fixed_point import on_grid
from fedcli.experiment.protection.proofs import with_commitments, with_proofs
from fedcli.privacy import calibrate


def strategy_of(
    experiment: Experiment, strategy: Strategy | None = None, *, encryption: Encryption | None = None
) -> Strategy:
    """The strategy with what surrounds it in a run, in the order in which a client meets it.

    Args:
        experiment: what the config says.
        strategy: takes the place of the one that the config names.
        encryption: as it was planned.

    Raises:
        ConfigError: with the key of the value that cannot be used.
    """
    made: Strategy = strategy or make("strategy", experiment.strategy, kind=Strategy)
    check_encryptable(made, experiment)
    made = _compressed(made, experiment)
    made = on_grid(made, experiment)
    made, proofs = with_commitments(made, experiment)
    made = encrypted(made, encryption)
    made = with_proofs(made, proofs)
    return _checked_on_arrival(made)


def calibrated(experiment: Experiment, sampling: Sampling, target: PrivacyTarget) -> Experiment:
    """The experiment with the least noise multiplier that keeps all its rounds within the budget.

    Raises:
        ConfigError: if there is none.
    """

    def with_noise(noise_multiplier: float) -> Experiment:
        part = experiment.strategy
        written = Part(part.name, {**part.parameters, "noise_multiplier": noise_multiplier})
        return experiment.model_copy(update={"strategy": written})

    def event_of(noise_multiplier: float) -> Event:
        event = strategy_of(with_noise(noise_multiplier)).privacy_event
        if event is None or event.noise_multiplier == 0:
            raise ConfigError(
                "the noise of this strategy does not follow its noise_multiplier.",
                key="strategy.noise_multiplier",
                hint="Give the strategy a noise_multiplier instead of null.",
            )
        return event

    with placed("strategy"):
        found = calibrate(event_of, sampling, target, experiment.rounds)
    return with_noise(found)


def _compressed(strategy: Strategy, experiment: Experiment) -> Strategy:
    if experiment.compression is None:
        return strategy
    smaller = make("compression", experiment.compression, kind=Transform)
    return strategy._replace(transforms=(*strategy.transforms, smaller))


def _checked_on_arrival(strategy: Strategy) -> Strategy:
    given = strategy.transforms[-1].gives if strategy.transforms else "vector"
    return strategy._replace(transforms=(*strategy.transforms, arrival(given)))
