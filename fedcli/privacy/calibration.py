"""The noise multiplier that meets a target epsilon."""

from __future__ import annotations

import math
from collections.abc import Callable

from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import AccountantName, Event, RelationName
from fedcli.core.sampling_scheme import PrivacyTarget, Sampling
from fedcli.privacy.accountant import Accountant
from fedcli.privacy.table import accountant_for

# Epsilon of the answer is at most this share below the target. The search aims at the middle.
TOLERANCE = 1e-3
_LOWEST, _HIGHEST = 1e-2, 1e5
_STEPS = 60


def calibrate(
    event_of: Callable[[float], Event],
    sampling: Sampling,
    target: PrivacyTarget,
    rounds: int,
    *,
    relation: RelationName | None = None,
    accountant: AccountantName | None = None,
) -> float:
    """The noise multiplier whose epsilon after `rounds` is at most the target's, and within 1e-3 of it.

    Renyi accounting takes milliseconds, so it finds where to look and how steep epsilon is there. The slower
    accountant is then asked about three times.

    Args:
        event_of: noise multiplier -> what one round releases.
        sampling: how cohorts are drawn.
        target: epsilon and the delta it is stated at.
        rounds: releases.
        relation: as for `accountant_for`.
        accountant: as for `accountant_for`.

    Raises:
        ConfigError: if no accountant is valid, or no multiplier between 0.01 and 100,000 meets the target.
    """
    if target.epsilon is None or not 0 < target.epsilon < math.inf:
        raise ConfigError(f"a target epsilon is a number above 0; received {target.epsilon}.", key="epsilon")
    wanted = target.epsilon

    def valid(multiplier: float) -> Accountant:
        return accountant_for(event_of(multiplier), sampling, relation=relation, accountant=accountant)

    valid(1.0)  # raises for this cohort, before the search below replaces it by another
    # No Renyi accounting is valid for a cap, but the search only needs to know where to begin.
    is_capped = sampling.scheme == "capped-poisson"
    similar = Sampling("poisson", sampling.population, rate=sampling.rate) if is_capped else sampling

    def epsilon(multiplier: float) -> float:
        return valid(multiplier).epsilon(rounds, target.delta)

    def guide(multiplier: float) -> float:
        return accountant_for(event_of(multiplier), similar, accountant="rdp").epsilon(rounds, target.delta)

    found, slope = _search(guide, wanted, 1.0, -1.0)
    if math.isfinite(found):
        found, _ = _search(epsilon, wanted, found, slope)
    if math.isnan(found):
        raise ConfigError(
            f"no noise multiplier from {_LOWEST:g} to {_HIGHEST:g} has an epsilon of {wanted:g} "
            f"at delta {target.delta:g} after {rounds} rounds.",
            key="epsilon",
            hint="Use another epsilon; values below 0.05 or above 50 are rarely useful.",
        )
    return found


def _search(
    epsilon: Callable[[float], float], wanted: float, start: float, slope: float
) -> tuple[float, float]:
    """Find the multiplier by secants in log z and log epsilon, inside a bracket of too little and enough noise.

    Returns:
        The multiplier (NaN if there is none) and the slope of log epsilon in log z there.
    """
    aim = math.log(wanted * (1 - TOLERANCE / 2))
    too_little, enough = math.log(_LOWEST), math.log(_HIGHEST)
    x = math.log(start)
    previous: tuple[float, float] | None = None
    for _ in range(_STEPS):
        reached = epsilon(math.exp(x))
        if wanted * (1 - TOLERANCE) <= reached <= wanted:
            return math.exp(x), slope
        # Of an epsilon without a logarithm, only the side of the target is known.
        y = math.log(reached) if 0 < reached < math.inf else math.copysign(math.inf, reached - wanted)
        too_little, enough = (x, enough) if y > aim else (too_little, x)
        # No multiplier comes within the tolerance: epsilon jumps over it.
        if enough - too_little < 1e-5:
            break
        if previous is not None and math.isfinite(y) and y != previous[1]:
            # Epsilon falls as noise grows. A slope near 0, from rounding, would throw the next point far away.
            slope = min((y - previous[1]) / (x - previous[0]), -1e-2)
        previous = (x, y) if math.isfinite(y) else None
        # An end of the range is tried as it is; any other proposal outside the bracket halves it.
        proposed = min(max(x + (aim - y) / slope, math.log(_LOWEST)), math.log(_HIGHEST))
        if proposed == x:
            break
        x = proposed if too_little <= proposed <= enough else (too_little + enough) / 2
    return math.nan, slope
