"""What privacy.json says: what was released, what it guarantees, for whom, and what it does not cover."""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import Any

from fedcli.core.privacy import Event, PrivacyTarget, Sampling
from fedcli.privacy.accountant import accountant_for

_NOT_COVERED = (
    "training, validation and test metrics in metrics.jsonl and clients.jsonl, which are published without noise",
    "which clients took part in a round, their number, example counts and bytes (clients.jsonl, metrics.jsonl)",
    "clients' own states in clients/ and their SHA-256 in checkpoints/*/state.npz, "
    "which a real federation leaves with the clients",
    "when the run was stopped, where a callback of the user's stopped it",
    "hyperparameters that were chosen by looking at other runs on the same data",
)


def privacy_statement(
    event: Event,
    sampling: Sampling,
    target: PrivacyTarget,
    *,
    releases: int,
    reproducible_noise: bool,
) -> dict[str, Any]:
    """Content of privacy.json after `releases` rounds.

    Args:
        event: what one round releases.
        sampling: how cohorts are drawn.
        target: delta and budget.
        releases: rounds charged so far, void ones included.
        reproducible_noise: whether the noise can be taken away by whoever knows the seed.
    """
    accountant = accountant_for(event, sampling)
    epsilon = accountant.epsilon(releases, target.delta)
    return {
        "unit": "client",
        "relation": accountant.relation,
        "mechanism": "central Gaussian noise (floating point) on the sum of clipped updates",
        "clip_norm": _clip_norm(event),
        "noise_multiplier": event.noise_multiplier,
        "sampling": _sampling(sampling),
        "accountant": {"name": accountant.name, "package": f"dp-accounting {version('dp-accounting')}"},
        "events": [{"event": repr(accountant.event(1)), "count": releases}],
        "delta": target.delta,
        "epsilon": epsilon if math.isfinite(epsilon) else None,
        "budget": target.epsilon,
        "holds_for": "readers of the models of all rounds; not readers of metrics.jsonl or clients.jsonl",
        "not_covered": list(_NOT_COVERED),
        "noise": _noise(event, reproducible_noise),
    }


def _sampling(sampling: Sampling) -> dict[str, Any]:
    described: dict[str, Any] = {"scheme": sampling.scheme, "population": sampling.population}
    if sampling.scheme == "poisson":
        return {**described, "rate": sampling.rate, "planned_divisor": sampling.rate * sampling.population}
    return {**described, "size": sampling.size, "planned_divisor": sampling.size}


def _noise(event: Event, reproducible: bool) -> str:
    if event.noise_multiplier == 0:
        return "none: the noise multiplier is 0, so this run protects nobody"
    if reproducible:
        return "drawn from the experiment's seed: whoever knows the seed can take it away; protects nobody"
    return (
        "ChaCha20 keyed by the operating system; floating point, so its low bits do not follow the exact law"
    )


def _clip_norm(event: Event) -> float | None:
    clip_norm = getattr(event, "clip_norm", math.inf)
    return clip_norm if math.isfinite(clip_norm) else None
