"""Checks that the section `attack` can do something in this run, and keeps its promise of privacy."""

from __future__ import annotations

from collections.abc import Sequence

from fedcli.components.attacks.attack import Adversary
from fedcli.core.contracts import Cohort, Strategy
from fedcli.core.errors import ConfigError


def check(
    adversary: Adversary | None,
    strategy: Strategy,
    cohort: Cohort,
    metrics: Sequence[str],
    *,
    num_clients: int,
) -> None:
    """Reject an attack without effect, one whose success cannot be counted, and one that makes epsilon false.

    Args:
        adversary: the malicious clients; None without an attack.
        strategy: with everything that surrounds it in the run.
        cohort: who takes part in a round.
        metrics: names of the task's metrics.
        num_clients: size of the population.

    Raises:
        ConfigError: with what would work.
    """
    if adversary is None:
        return
    attack = adversary.attack
    if attack.on_proofs and not any(transform.proves for transform in strategy.transforms):
        raise ConfigError(
            f"{attack.name} attacks the proofs that updates keep their bound, and this run has no proofs.",
            key="attack",
            hint="Add proofs: norm-bound and a fixed_point, or use another attack, such as boost.",
        )
    if attack.cheat is not None:
        try:
            # Tried on the run's own transforms: only the attack knows which of them it needs.
            attack.cheat(strategy.transforms)
        except ConfigError as error:
            raise error.under("attack") from error
    planned = round(cohort.expected_size(num_clients))
    malicious = round(planned * len(adversary.clients) / num_clients)
    reason = attack.objection(planned, malicious) if attack.objection else None
    if reason is not None:
        raise ConfigError(f"{reason}.", key="attack", hint="Give the attack's own strength, such as z: 1.5.")
    if attack.looks_at_others and strategy.privacy_event is not None:
        raise ConfigError(
            f"{attack.name} makes its updates from those of honest clients. One client would move the sum by more "
            "than its own clipped update, and epsilon would be false.",
            key="attack",
            hint="Use an attack that looks at one client at a time: sign-flip, gaussian, boost or backdoor.",
        )
    if attack.trigger is not None and "accuracy" not in metrics:
        raise ConfigError(
            f"the success of {attack.name} is counted by the metric accuracy; task.metrics has "
            f"{', '.join(metrics) or 'none'}.",
            key="task.metrics",
            hint="Leave task.metrics out, or add accuracy to it.",
        )
