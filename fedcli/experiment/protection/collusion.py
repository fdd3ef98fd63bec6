"""The number of colluders that noise in shares is planned for, taken from the assumption of the encryption."""

from __future__ import annotations

from fedcli.config import Experiment
from fedcli.core.contracts import Strategy
from fedcli.core.errors import ConfigError
from fedcli.core.sampling_scheme import Sampling
from fedcli.experiment.compose import leaves_colluders_open
from fedcli.experiment.protection.encryption import encryption_for
from fedcli.privacy import mechanism_of


def planned_colluders(experiment: Experiment, strategy: Strategy, sampling: Sampling) -> int | None:
    """How many clients may collude under the assumption of the encryption; None if the config does not ask for it.

    Args:
        experiment: the config.
        strategy: with the integer grid.
        sampling: how cohorts are drawn.

    Raises:
        ConfigError: if all guaranteed contributors of noise may collude.
    """
    event = strategy.privacy_event
    if event is None or mechanism_of(event).with_colluders is None:
        return None
    if not leaves_colluders_open(experiment.strategy):
        return None
    # Planned with the noise as it is known so far: who may collude does not depend on it.
    encryption = encryption_for(strategy, experiment, sampling)
    if encryption is None:
        return None
    colluders = encryption.collusion(sampling.largest).planned
    if colluders >= strategy.min_updates:
        raise ConfigError(
            f"{encryption.name} is planned for {colluders} of {sampling.largest} clients that collude with the server, "
            f"and only {strategy.min_updates} shares of noise are guaranteed: colluders may know all of them.",
            key="strategy.contributors",
            hint=f"Use contributors of at least {colluders + 1}, better as many as will surely arrive, or say how many "
            "colluders you expect: strategy.colluders.",
        )
    return colluders
