"""Epsilon, or the noise for it, from a few numbers: the calculator of `fedcli privacy`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Literal, TypeAlias, cast

import numpy as np

from fedcli.core.errors import ConfigError
from fedcli.core.noise_multipliers import update_noise_multiplier
from fedcli.core.privacy_events import (
    AccountantName,
    BandedEvent,
    DistributedGaussianEvent,
    Event,
    ExampleEvent,
    GaussianEvent,
    LocalGaussianEvent,
    PrivatisedDataEvent,
    RelationName,
    TreeEvent,
)
from fedcli.core.sampling_scheme import PrivacyTarget, Sampling
from fedcli.privacy import words
from fedcli.privacy.calibration import calibrate
from fedcli.privacy.promise import Promise
from fedcli.privacy.statement import by_colluders
from fedcli.privacy.table import accountant_for, mechanism_of

MechanismName: TypeAlias = Literal[
    "gaussian", "adaptive", "distributed", "local", "tree", "banded", "example", "data"
]
# A plot needs no more, and the accountant composes anew for each of them.
_POINTS = 24


@dataclass(frozen=True)
class Question:
    """What `fedcli privacy` was asked. Fields that the mechanism or the scheme does not use are ignored."""

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
        ConfigError: if a number is missing or outside its range, or no accountant is valid.
    """
    if (question.noise_multiplier is None) == (question.target_epsilon is None):
        raise ConfigError(
            "exactly one of a noise multiplier and a target epsilon is needed.",
            key="noise_multiplier",
            hint="Give --noise-multiplier or --target-epsilon, and not both.",
        )
    sampling = _sampling(question)
    z = question.noise_multiplier
    if z is None:
        target = PrivacyTarget(_delta(question), question.target_epsilon)
        # The search may try multipliers for which the event of adaptive clipping refuses its count's noise. Its joint
        # multiplier alone decides epsilon, so the search uses the event with fixed clipping.
        asked = replace(question, mechanism="gaussian") if question.mechanism == "adaptive" else question
        z = calibrate(
            lambda multiplier: event_of(asked, multiplier),
            sampling,
            target,
            question.rounds,
            relation=question.relation,
            accountant=question.accountant,
        )
    target = PrivacyTarget(_delta(question), question.target_epsilon)
    facts = account(
        Promise(event_of(question, z), sampling, target, question.rounds),
        relation=question.relation,
        accountant=question.accountant,
        course=course,
    )
    if question.population is None:
        # One client stands for a population that was not given, and that a scheme with a rate does not need.
        of_population = {"population", "size", "planned_divisor"} & facts["sampling"].keys()
        facts["sampling"] |= dict.fromkeys(sorted(of_population))
    if question.mechanism == "adaptive":
        # The updates' share of the joint multiplier: the noised count is paid for out of the same epsilon.
        deviation = cast(float, question.count_deviation)
        facts["update_noise_multiplier"] = update_noise_multiplier(z, deviation)
    return facts


def account(promise: Promise, *, course: bool = False, **valid: Any) -> dict[str, Any]:
    """The privacy of the planned rounds of a run, as facts for a table.

    Args:
        promise: what is planned.
        course: also epsilon after some of the rounds, for a plot.
        valid: relation and accountant, as for `accountant_for`.
    """
    event, sampling, target, rounds = promise.event, promise.sampling, promise.target, promise.rounds
    made = accountant_for(event, sampling, **valid)
    facts: dict[str, Any] = {
        "epsilon": _finite(made.epsilon(rounds, target.delta)),
        "delta": target.delta,
        "rounds": rounds,
        "target_epsilon": target.epsilon,
        "noise_multiplier": event.noise_multiplier,
        "unit": made.unit,
        "relation": made.relation,
        "mechanism": mechanism_of(event).words(event),
        "sampling": words.described(sampling),
        "accountant": made.name,
        "package": f"dp-accounting {version('dp-accounting')}",
        "against": words.holds_for(made.against, event, promise.encryption),
        "weaker_epsilons": {who: _finite(law(rounds, target.delta)) for who, law in made.weaker.items()},
        "epsilons_by_colluders": by_colluders(promise, rounds),
        "warnings": words.warnings(promise),
    }
    if course:
        shown = sorted({int(n) for n in np.linspace(1, rounds, min(rounds, _POINTS)).round()})
        facts["epsilon_after_round"] = {str(n): _finite(made.epsilon(n, target.delta)) for n in shown}
    return facts


def event_of(question: Question, noise_multiplier: float) -> Event:
    """The event of one round of the mechanism, at a clip norm of 1."""
    return _EVENTS[question.mechanism](question, noise_multiplier)


def _shares(question: Question, noise_multiplier: float) -> Event:
    contributors = _needed(question, "contributors")
    # Colluders may tell their shares, so that the multiplier is that of the others' noise.
    honest = math.sqrt(max(contributors - question.colluders, 1))
    return DistributedGaussianEvent(
        noise_multiplier * question.grid_steps / honest,
        contributors,
        _needed(question, "dimension"),
        question.grid_steps,
        question.colluders,
    )


_EVENTS: Mapping[MechanismName, Callable[[Question, float], Event]] = {
    "gaussian": lambda _asked, z: GaussianEvent(z, 1.0),
    "adaptive": lambda asked, z: GaussianEvent(z, 1.0, "adaptive", _needed(asked, "count_deviation")),
    "distributed": _shares,
    "local": lambda _asked, z: LocalGaussianEvent(z, 1.0),
    "tree": lambda asked, z: TreeEvent(z, 1.0, asked.restart_every),
    "banded": lambda asked, z: BandedEvent(z, 1.0, _needed(asked, "bands"), asked.column_norm),
    "example": lambda asked, z: ExampleEvent(z, 1.0, _needed(asked, "batch_rate"), _needed(asked, "steps")),
    "data": lambda _asked, z: PrivatisedDataEvent(z, 1.0),
}


def _sampling(question: Question) -> Sampling:
    if question.rounds < 1:
        raise ConfigError(f"rounds is at least 1; received {question.rounds}.", key="rounds")
    scheme, population = question.sampling, question.population
    if scheme in ("poisson", "capped-poisson"):
        # Without a cap, the population matters only for the warning about delta.
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
            hint="Give --rate, or --size (its expected size) and --population.",
        )
    return question.cohort / question.population


def _needed(question: Question, name: str) -> Any:
    value = getattr(question, name)
    if value is None:
        of_sampling = name in ("cohort", "population", "cap", "separation")
        cohorts = "uniform" if question.sampling == "fixed" else question.sampling
        needs = f"{cohorts} cohorts need" if of_sampling else f"{question.mechanism} noise needs"
        # As a config calls it.
        name = "size" if name == "cohort" else name
        raise ConfigError(f"{needs} {name}.", key=name, hint=f"Give --{name.replace('_', '-')}.")
    return value


def _delta(question: Question) -> float:
    if not 0 < question.delta < 1:
        raise ConfigError(f"delta lies in (0, 1); received {question.delta}.", key="delta")
    return question.delta


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
