"""Central Gaussian noise on the sum of a cohort, by the way the cohort was drawn."""

from __future__ import annotations

from typing import Any

from fedcli.core.privacy_events import GaussianEvent, Sampling
from fedcli.privacy.composition import Composition, gaussian, poisson


def central(event: GaussianEvent, sampling: Sampling) -> list[Composition]:
    """The valid ways to account for it, the one to take first.

    A cohort of fixed size is not a Poisson sample: to account for it as one would be false. Where a
    client has its turn only every so often, it is in so many fewer releases.
    """

    def multiplier(_releases: int) -> float:
        return event.noise_multiplier

    if sampling.scheme == "fixed":
        return [Composition("replace-one", ("rdp",), multiplier, _without_replacement(sampling), int)]
    if sampling.scheme == "capped-poisson":
        return [
            Composition(r, ("pld",), multiplier, _capped(sampling), int)
            for r in ("add-remove", "replace-one")
        ]
    if sampling.scheme == "min-separation":
        once = gaussian if sampling.rate == 1 else poisson(sampling.rate)
        return [Composition("zero-out", ("pld", "rdp"), multiplier, once, sampling.participations)]
    if sampling.scheme == "full":
        return [
            Composition(r, ("pld", "rdp"), multiplier, gaussian, int) for r in ("add-remove", "replace-one")
        ]
    once = poisson(sampling.rate)
    return [
        Composition("add-remove", ("pld", "rdp"), multiplier, once, int),
        Composition("replace-one", ("pld",), multiplier, once, int),
    ]


def _without_replacement(sampling: Sampling) -> Any:
    def once(noise_multiplier: float) -> Any:
        import dp_accounting as dp

        return dp.SampledWithoutReplacementDpEvent(
            sampling.population, sampling.size, dp.GaussianDpEvent(noise_multiplier)
        )

    return once


def _capped(sampling: Sampling) -> Any:
    def once(noise_multiplier: float) -> Any:
        import dp_accounting as dp

        return dp.TruncatedSubsampledGaussianDpEvent(
            sampling.population, sampling.rate, sampling.cap, noise_multiplier
        )

    return once
