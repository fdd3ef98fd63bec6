"""Checks that the section `early_stop` watches a metric that the rounds have."""

from __future__ import annotations

from collections.abc import Sequence

from fedcli.components.attacks.attack import Adversary
from fedcli.config import Experiment
from fedcli.core.contracts import Strategy
from fedcli.core.errors import ConfigError


def check(
    experiment: Experiment, strategy: Strategy, adversary: Adversary | None, *, figures: Sequence[str]
) -> None:
    """Reject a metric that no round will have: such a run would never stop.

    Args:
        experiment: what the config says.
        strategy: with everything that surrounds it in the run.
        adversary: the malicious clients; None without an attack.
        figures: names of the task's loss and metrics.

    Raises:
        ConfigError: with the metrics that the rounds have.
    """
    if experiment.early_stop is None:
        return
    metric, has_clock = experiment.early_stop.metric, experiment.devices is not None
    parts = ("test", "validation", "train", *(["average/test"] if experiment.average else []))
    known = [f"{part}/{name}" for part in parts for name in figures]
    if adversary is not None and adversary.attack.trigger is not None:
        known.append("attack/success_rate")
    counted = ["planned", "finished", "rejected", *(["absent"] if experiment.is_uneven else [])]
    known += [f"clients/{name}" for name in counted]
    known += ["simulated/seconds", "simulated/round_seconds"] if has_clock else []
    known += ["staleness/mean", "staleness/max"] if strategy.buffer else []
    known += ["epsilon"] if strategy.privacy_event else []
    known += ["round", "examples", "bytes_up", "bytes_down"]
    # A metric over clients also has statistics, with names that begin with its own.
    if not any(metric == name or metric.startswith(f"{name}/") for name in known):
        raise ConfigError(
            f"no round has the metric '{metric}'; there are {', '.join(known)}.", key="early_stop.metric"
        )
