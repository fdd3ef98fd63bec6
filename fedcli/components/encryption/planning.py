"""Planning helpers of the schemes: errors that name keys of the config, and figures of a plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from fedcli.components.encryption.scheme import Sums
from fedcli.core.errors import ConfigError
from fedcli.crypto.bfv.plans import Plan

Planned = TypeVar("Planned")

SECURITY_BITS = 128

TAIL_BITS = 40
"""Noise of clients exceeds the room planned for it in a run with a probability of at most 2^-40."""


def require_summands(sums: Sums, least: int, why: str) -> None:
    """Refuse cohorts that are always too small for a sum.

    Args:
        sums: the planned sums.
        least: smallest number of clients.
        why: the reason, as a sentence.

    Raises:
        ConfigError: if the largest cohort is below `least`.
    """
    # Before training, because every round of such a run would be void.
    if sums.most_summands < least:
        raise ConfigError(
            f"an encrypted sum needs at least {least} clients; the largest cohort has {sums.most_summands}. {why}",
            hint=f"Use a cohort of {least} clients or more.",
        )


def planned(plan: Callable[[], Planned], *own: str) -> Planned:
    """The result of `plan`. An error names a key only if it is in `own`: the scheme's parameters in the config."""
    try:
        return plan()
    except ConfigError as error:
        # The plan also checks parameters of its own, which no config has.
        key = error.key if error.key in own else ""
        raise ConfigError(error.message, key=key, hint=error.hint) from error


def figures(plan: Plan, sums: Sums) -> Mapping[str, Any]:
    """The figures of a plan for display, as JSON values; `failure_bits` is None where no coin can fail it."""
    return {
        "ring": f"BFV, N = {plan.degree}",
        "degree": plan.degree,
        "prime_bits": list(plan.prime_bits),
        "plain_bits": plan.plain_bits,
        "fields": plan.fields,
        "security_bits": SECURITY_BITS,
        "failure_bits": math.floor(plan.failure_bits) if math.isfinite(plan.failure_bits) else None,
        **tail(sums),
        "most_summands": plan.num_summands,
        "largest_sum": plan.largest_sum,
        "bytes_per_parameter": plan.bytes_per_value,
    }


def tail(sums: Sums) -> Mapping[str, Any]:
    """The figure of noise that clients add to a sum; empty without such noise."""
    return {"tail_bits": TAIL_BITS} if sums.noise_tail else {}
