"""Gaussian noise of the server on the sum of a cohort.

The noise is a discrete Gaussian of at least 2^25 steps, rounded to the steps of the run's grid. It is accounted for by
the curves of the continuous Gaussian: its Renyi divergences are at most those, and so is every other curve but for
2^-33 of epsilon a release (`crypto/gaussian_steps.py`). dp-accounting has a discrete Gaussian of its own for single
numbers only, where one client moves a sum of vectors in any direction.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Literal

from fedcli.core.privacy_events import GaussianEvent, RelationName
from fedcli.core.sampling_scheme import Sampling
from fedcli.privacy.accountant import Accountant, Epsilon, accountants_of
from fedcli.privacy.composition import (
    Composition,
    DpEvent,
    Release,
    gaussian,
    in_turns,
    interval,
    methods,
    poisson,
)
from fedcli.privacy.fixed_size_sample import fixed_size_sample
from fedcli.privacy.mechanism import PrivacyMechanism
from fedcli.privacy.sampled_gaussian import PrivacyLoss, sampled_gaussian

PARTICIPANTS = (
    "a client that takes part and reads the models: it knows the rounds without it, drawn from the others"
)


def central(event: GaussianEvent, sampling: Sampling) -> list[Composition]:
    """The valid compositions for the way cohorts are drawn, the preferred one first."""

    def multiplier(_releases: int) -> float:
        return event.noise_multiplier

    match sampling.scheme:
        case "chosen":
            # Nobody knows how likely such a cohort is to have a client, so that no accountant is valid.
            return []
        case "fixed":
            # Not a Poisson sample: accounting for it as one would claim a smaller epsilon than is true.
            return [Composition("replace-one", ("rdp",), multiplier, _without_replacement(sampling), int)]
        case "capped-poisson":
            # For a cap, dp-accounting knows the privacy loss distribution and no Renyi divergences.
            relations: tuple[RelationName, ...] = ("add-remove", "replace-one")
            return [Composition(each, ("pld",), multiplier, _capped(sampling), int) for each in relations]
        case "min-separation":
            # A client takes part in only some of the releases.
            return in_turns(multiplier, sampling)
        case "full":
            relations = ("add-remove", "replace-one")
            return [Composition(each, methods(gaussian()), multiplier, gaussian(), int) for each in relations]
        case "poisson":
            once = poisson(sampling.rate)
            return [
                Composition("add-remove", ("pld", "rdp"), multiplier, once, int),
                # dp-accounting's RDP of a Poisson sample does not know clients that are replaced.
                Composition("replace-one", ("pld",), multiplier, once, int),
            ]


def _without_replacement(sampling: Sampling) -> Release:
    def event(noise_multiplier: float) -> DpEvent:
        import dp_accounting as dp

        return dp.SampledWithoutReplacementDpEvent(
            sampling.population, sampling.size, dp.GaussianDpEvent(noise_multiplier)
        )

    rate = sampling.size / sampling.population
    return Release(event, divergences=lambda z, orders: fixed_size_sample(z, rate, orders))


def _capped(sampling: Sampling) -> Release:
    def event(noise_multiplier: float) -> DpEvent:
        import dp_accounting as dp

        return dp.TruncatedSubsampledGaussianDpEvent(
            sampling.population, sampling.rate, sampling.cap, noise_multiplier
        )

    return Release(event, functools.partial(_capped_loss, sampling))


def _capped_loss(
    sampling: Sampling, noise_multiplier: float, relation: RelationName, count: int
) -> PrivacyLoss:
    step = interval(noise_multiplier / 2, sampling.rate, count)
    return _capped_on_grid(sampling, noise_multiplier, relation, step)


@functools.lru_cache(maxsize=64)
def _capped_on_grid(
    sampling: Sampling, noise_multiplier: float, relation: RelationName, step: float
) -> PrivacyLoss:
    """The distribution that dp-accounting's `from_truncated_subsampled_gaussian_mechanism` returns."""
    from scipy.stats import binom

    population, rate, cap = sampling.population, sampling.rate, sampling.cap
    whole = sampled_gaussian(noise_multiplier, rate, relation, interval=step)
    # That the cap takes effect in a round that draws the client.
    full = float(binom.sf(cap - 1, population - 1, rate))
    if full == 0:
        return whole
    # Then the client is drawn with this probability, and replaces another one.
    drawn = float(binom.sf(cap, population, rate)) * cap / full / population
    # Rounding must not make it 0 or more than 1; below 1e-300 a larger one only raises epsilon.
    drawn = min(max(drawn, 1e-300), 1.0)
    replaced = sampled_gaussian(noise_multiplier / 2, drawn, "replace-one", interval=step)
    return replaced.compute_mixture(whole, full)


def _with_participants(event: GaussianEvent, sampling: Sampling) -> list[Accountant]:
    """The accountants of `central`, with an epsilon against participants where these know more of a cohort."""
    found = accountants_of(central(event, sampling), excess_probability=event.excess_probability)
    if sampling.scheme != "fixed" or sampling.size == sampling.population:
        return found
    # In rounds without the participant, the cohort is drawn from the others alone.
    others = sampling.population - 1
    scheme: Literal["fixed", "full"] = "fixed" if sampling.size < others else "full"
    alone = central(event, replace(sampling, scheme=scheme, population=others))
    known = next(each for each in alone if each.relation == "replace-one")
    (theirs, *_) = accountants_of([known], excess_probability=event.excess_probability)
    return [each._replace(weaker={PARTICIPANTS: _larger(each.epsilon, theirs.epsilon)}) for each in found]


def _larger(one: Epsilon, other: Epsilon) -> Epsilon:
    # A participant reads all models too; of two bounds, that on readers may be the looser one.
    return lambda releases, delta: max(one(releases, delta), other(releases, delta))


_SUMS = {
    "fixed": "on the sum of clipped updates",
    "per-layer": "on the sum of updates clipped layer by layer",
    "adaptive": "on the sum of updates, whose clip follows a noised count",
}

CENTRAL: PrivacyMechanism[GaussianEvent] = PrivacyMechanism(
    accountants=_with_participants,
    words=lambda event: f"central Gaussian noise (on a grid) {_SUMS[event.clipping]}",
    with_excess=lambda event, probability: replace(event, excess_probability=probability),
)
