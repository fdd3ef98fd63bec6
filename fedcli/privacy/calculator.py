"""Epsilon, or the noise for it, without a run: from a few numbers to what `fedcli privacy` prints."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Literal, TypeAlias, cast

import numpy as np

from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import (
    AccountantName,
    BandedEvent,
    DistributedGaussianEvent,
    Event,
    ExampleEvent,
    GaussianEvent,
    LocalGaussianEvent,
    PrivacyTarget,
    PrivatisedDataEvent,
    RelationName,
    Sampling,
    TreeEvent,
    update_noise_multiplier,
)
from fedcli.privacy import words
from fedcli.privacy.accountant import accountant_for
from fedcli.privacy.calibration import calibrate

MechanismName: TypeAlias = Literal[
    "gaussian", "adaptive", "distributed", "local", "tree", "banded", "example", "data"
]
_POINTS = 24


@dataclass(frozen=True)
class Question:
    """What `fedcli privacy` was asked; a field that the mechanism or the scheme does not use is not looked at."""

    mechanism: MechanismName
    sampling: Literal["poisson", "capped-poisson", "fixed", "full", "min-separation"]
    rounds: int
    delta: float
    noise_multiplier: float | None = None
    target_epsilon: float | None = None
    rate: float | None = None
    cohort: int | None = None
    population: int | None = None
    cap: int | None = None
    separation: int | None = None
    count_deviation: float | None = None
    contributors: int | None = None
    colluders: int = 0
    dimension: int | None = None
    grid_steps: float = 2.0**20
    restart_every: int | None = None
    bands: int | None = None
    column_norm: float = 1.0
    batch_rate: float | None = None
    steps: int | None = None
    relation: RelationName | None = None
    accountant: AccountantName | None = None


def answer(question: Question, *, course: bool = False) -> dict[str, Any]:
    """Epsilon of the planned releases, or the noise multiplier that meets a target.

    Args:
        question: the numbers.
        course: also epsilon after some of the rounds, for a plot.

    Raises:
        ConfigError: if a number is missing, has no meaning, or no accountant is valid.
    """
    if (question.noise_multiplier is None) == (question.target_epsilon is None):
        raise ConfigError(
            "either a noise multiplier is given, and epsilon asked for, or the other way round.",
            key="noise_multiplier",
            hint="Give --noise-multiplier or --target-epsilon, and not both.",
        )
    sampling = _sampling(question)
    z = question.noise_multiplier
    if z is None:
        target = PrivacyTarget(_delta(question), question.target_epsilon)
        # An adaptive clip is worth its joint multiplier, which the search may try past what the count allows.
        asked = replace(question, mechanism="gaussian") if question.mechanism == "adaptive" else question
        z = calibrate(
            lambda multiplier: event_of(asked, multiplier),
            sampling,
            target,
            question.rounds,
            relation=question.relation,
            accountant=question.accountant,
        )
    facts = account(
        event_of(question, z),
        sampling,
        PrivacyTarget(_delta(question), question.target_epsilon),
        question.rounds,
        relation=question.relation,
        accountant=question.accountant,
        course=course,
    )
    if question.mechanism == "adaptive":
        deviation = cast(float, question.count_deviation)
        facts["update_noise_multiplier"] = update_noise_multiplier(z, deviation)
    return facts


def account(
    event: Event,
    sampling: Sampling,
    target: PrivacyTarget,
    rounds: int,
    *,
    course: bool = False,
    **valid: Any,
) -> dict[str, Any]:
    """What so many rounds of an event come to, as facts for a table."""
    made = accountant_for(event, sampling, **valid)
    facts: dict[str, Any] = {
        "epsilon": _finite(made.epsilon(rounds, target.delta)),
        "delta": target.delta,
        "rounds": rounds,
        "target_epsilon": target.epsilon,
        "noise_multiplier": event.noise_multiplier,
        "unit": made.unit,
        "relation": made.relation,
        "mechanism": words.mechanism(event),
        "sampling": words.described(sampling),
        "accountant": made.name,
        "package": f"dp-accounting {version('dp-accounting')}",
        "against": made.against,
        "weaker_epsilons": {who: _finite(law(rounds, target.delta)) for who, law in made.weaker.items()},
        "warnings": words.warnings(event, sampling, target.delta),
    }
    if course:
        shown = sorted({int(n) for n in np.linspace(1, rounds, min(rounds, _POINTS)).round()})
        facts["epsilon_after_round"] = {str(n): _finite(made.epsilon(n, target.delta)) for n in shown}
    return facts


def event_of(question: Question, noise_multiplier: float) -> Event:
    """What one round of the mechanism releases."""
    z = noise_multiplier
    if question.mechanism == "distributed":
        shares = _needed(question, "contributors")
        honest = math.sqrt(max(shares - question.colluders, 1))
        return DistributedGaussianEvent(
            z * question.grid_steps / honest,
            shares,
            _needed(question, "dimension"),
            question.grid_steps,
            question.colluders,
        )
    if question.mechanism == "adaptive":
        return GaussianEvent(z, 1.0, "adaptive", _needed(question, "count_deviation"))
    if question.mechanism == "tree":
        return TreeEvent(z, 1.0, question.restart_every)
    if question.mechanism == "banded":
        return BandedEvent(z, 1.0, _needed(question, "bands"), question.column_norm)
    if question.mechanism == "example":
        return ExampleEvent(z, 1.0, _needed(question, "batch_rate"), _needed(question, "steps"))
    plain = {"gaussian": GaussianEvent, "local": LocalGaussianEvent, "data": PrivatisedDataEvent}
    return cast(Event, plain[question.mechanism](z, 1.0))


def _sampling(question: Question) -> Sampling:
    if question.rounds < 1:
        raise ConfigError(f"rounds is at least 1; received {question.rounds}.", key="rounds")
    scheme, population = question.sampling, question.population
    if scheme in ("poisson", "capped-poisson"):
        # Only the warning about delta, and the cap, depend on how many clients there are.
        size = _needed(question, "population") if scheme == "capped-poisson" else population or 1
        cap = _needed(question, "cap") if scheme == "capped-poisson" else 0
        return Sampling(scheme, size, rate=_rate(question), cap=cap)
    if scheme == "fixed":
        return Sampling(scheme, _needed(question, "population"), size=_needed(question, "cohort"))
    if scheme == "full":
        return Sampling(scheme, population or 1, size=population or 1)
    return Sampling(
        scheme,
        population or 1,
        rate=1.0 if question.rate is None else question.rate,
        separation=_needed(question, "separation"),
    )


def _rate(question: Question) -> float:
    if question.rate is not None:
        return question.rate
    if question.cohort is None or question.population is None:
        raise ConfigError(
            f"{question.sampling} cohorts need the rate at which a client takes part.",
            key="rate",
            hint="Give --rate, or --cohort (its expected size) and --population.",
        )
    return question.cohort / question.population


def _needed(question: Question, name: str) -> Any:
    value = getattr(question, name)
    if value is None:
        of_sampling = name in ("cohort", "population", "cap", "separation")
        needs = f"{question.sampling} cohorts need" if of_sampling else f"{question.mechanism} noise needs"
        raise ConfigError(f"{needs} {name}.", key=name, hint=f"Give --{name.replace('_', '-')}.")
    return value


def _delta(question: Question) -> float:
    if not 0 < question.delta < 1:
        raise ConfigError(f"delta lies in (0, 1); received {question.delta}.", key="delta")
    return question.delta


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
