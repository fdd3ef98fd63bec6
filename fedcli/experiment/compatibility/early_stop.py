"""Checks that the section `early_stop` watches a metric that the rounds have."""

from __future__ import annotations

from fedcli.core.errors import ConfigError
from fedcli.engine.run_columns import columns_of, meant_column
from fedcli.engine.setup import Setup


def check(setup: Setup) -> None:
    """Reject a metric that no round will have: such a run would never stop.

    Raises:
        ConfigError: with the metrics that the rounds have.
    """
    stop = setup.experiment.early_stop
    if stop is None:
        return
    # Some columns are words, which do not improve.
    known = [column.name for column in columns_of(setup).values() if column.is_number]
    if stop.metric not in known:
        raise ConfigError(
            f"no round has the metric '{stop.metric}'; there are {', '.join(known)}.",
            key="early_stop.metric",
            hint=meant_column(stop.metric, known),
        )
