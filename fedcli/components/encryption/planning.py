"""What the schemes share before training: refusals in the words of the config, and figures of a plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from fedcli.components.encryption.scheme import Sums
from fedcli.core.errors import ConfigError
from fedcli.crypto.bfv.plans import Plan

Planned = TypeVar("Planned")

SECURITY_BITS = 128

# A bound of 2^-1,000,000 and one of 0 say the same.
_NEVER = 1_000_000


def require_summands(sums: Sums, least: int, why: str) -> None:
    """Refuse cohorts that never have enough clients for a sum.

    Raises:
        ConfigError: if the largest cohort is below `least`.
    """
    if sums.most_summands < least:
        raise ConfigError(
            f"an encrypted sum takes at least {least} clients; the largest cohort has {sums.most_summands}. {why}",
            hint=f"Use a cohort of {least} clients or more.",
        )


def planned(plan: Callable[[], Planned], *own: str) -> Planned:
    """What `plan` makes; its errors name a parameter only where that is one of the config's `own`."""
    try:
        return plan()
    except ConfigError as error:
        key = error.key if error.key in own else ""
        raise ConfigError(error.message, key=key, hint=error.hint) from error


def figures(plan: Plan) -> Mapping[str, Any]:
    """A plan of ciphertexts for people, as JSON values."""
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
