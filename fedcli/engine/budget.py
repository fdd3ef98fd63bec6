"""The end of a run: after its planned rounds, or before its privacy budget is exceeded."""

from __future__ import annotations

import numpy as np

from fedcli.core.rounds import RoundState
from fedcli.engine.records import Row
from fedcli.engine.setup import Assembly


def nothing_left(assembly: Assembly, state: RoundState) -> str | None:
    """The reason why the run ends after `state`, for the user; None if another round follows."""
    if state.round >= assembly.run.rounds:
        rounds = assembly.run.rounds
        return "its one round is done" if rounds == 1 else f"all {rounds} rounds are done"
    accountant, target = assembly.protocol.accountant, assembly.strategy.privacy
    if accountant is None or target is None or target.epsilon is None:
        return None
    # Epsilon is charged before a round, so the round that would exceed the budget is never begun.
    following = accountant.epsilon(state.releases + 1, target.delta)
    if following <= target.epsilon:
        return None
    return f"the privacy budget is spent: one more round would make epsilon {following:.3g} of {target.epsilon:g}"


def spent(assembly: Assembly, state: RoundState) -> Row:
    """Epsilon of all releases so far, as a column of metrics.jsonl; empty if the run is not private."""
    accountant, target = assembly.protocol.accountant, assembly.strategy.privacy
    if accountant is None or target is None:
        return {}
    epsilon = accountant.epsilon(state.releases, target.delta)
    # JSON has no infinity.
    return {"epsilon": epsilon if np.isfinite(epsilon) else None}
