"""Calibration of a strategy's noise to the privacy budget of the planned rounds."""

from __future__ import annotations

from fedcli.config import Experiment
from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import Event
from fedcli.core.sampling_scheme import PrivacyTarget, Sampling
from fedcli.experiment.compose import with_noise_multiplier
from fedcli.experiment.make import placed
from fedcli.experiment.protection.order import recipe, summed
from fedcli.privacy import calibrate


def calibrated(experiment: Experiment, sampling: Sampling, target: PrivacyTarget) -> Experiment:
    """The experiment with the smallest noise multiplier with which all rounds stay within the budget.

    Raises:
        ConfigError: if there is none.
    """

    def with_noise(noise_multiplier: float) -> Experiment:
        written = with_noise_multiplier(experiment.strategy, noise_multiplier)
        return experiment.model_copy(update={"strategy": written})

    def event_of(noise_multiplier: float) -> Event:
        # The grid and proofs change the event, so it is taken from the strategy with both.
        noised = with_noise(noise_multiplier)
        event = summed(recipe(noised), noised).strategy.privacy_event
        if event is None or event.noise_multiplier == 0:
            raise ConfigError(
                "the noise of this strategy does not depend on its noise_multiplier.",
                key="strategy.noise_multiplier",
                hint="Give the strategy a noise_multiplier instead of null.",
            )
        return event

    with placed("strategy"):
        found = calibrate(event_of, sampling, target, experiment.rounds)
    return with_noise(found)
