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

# JSON has no infinity; a failure bound of 2^-1,000,000 says the same as one of 0.
_NEVER = 1_000_000


def require_summands(sums: Sums, least: int, why: str) -> None:
    """Refuse cohorts that are always too small for a sum.

    Args:
        sums: the planned sums.
        least: smallest number of clients.
        why: the reason, as a sentence.

    Raises:
        ConfigError: if the largest cohort is below `least`.
    """
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
        key = error.key if error.key in own else ""
        raise ConfigError(error.message, key=key, hint=error.hint) from error


def figures(plan: Plan) -> Mapping[str, Any]:
    """The figures of a plan for display, as JSON values."""
    return {
        "ring": f"BFV, N = {plan.degree}",
        "degree": plan.degree,
        "prime_bits": list(plan.prime_bits),
        "plain_bits": plan.plain_bits,
        "fields": plan.fields,
        "security_bits": SECURITY_BITS,
        "failure_bits": math.floor(min(plan.failure_bits, _NEVER)),
        "most_summands": plan.num_summands,
        "largest_sum": plan.largest_sum,
        "bytes_per_parameter": plan.bytes_per_value,
    }
