"""The strategy of a config with an aggregator that was given as a Python object."""

from __future__ import annotations

from fedcli import config
from fedcli.config import Config, Part
from fedcli.core.contracts import Aggregator
from fedcli.core.errors import ConfigError
from fedcli.experiment.compose import strategy_from, written_out


def with_aggregator(loaded: Config, rule: Aggregator) -> Config:
    """The strategy written out, since only then its aggregator has a place of its own."""
    section = loaded.experiment.strategy
    if isinstance(section, Part):
        if section.value is not None:
            raise ConfigError(
                "a strategy and an aggregator were both given as objects.",
                key="strategy",
                hint="Give strategy=my_strategy._replace(aggregator=my_aggregator).",
            )
        written = written_out(strategy_from(section))
        if written is None:
            raise ConfigError(
                f"{section.name} cannot be written out part by part, so that its aggregator cannot be replaced.",
                key="strategy",
                hint="Give the whole strategy as an object: strategy=...",
            )
        loaded = config.with_section(loaded, "strategy", written)
    return config.given(loaded, objects={"aggregator": rule})
