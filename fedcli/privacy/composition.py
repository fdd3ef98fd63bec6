"""Releases composed over rounds, as dp-accounting accounts for them.

dp-accounting takes most of a second to import, so it is imported late.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

from fedcli.core.privacy_events import AccountantName, RelationName
from fedcli.core.sampling_scheme import Sampling
from fedcli.privacy.composed_loss import composed_epsilon
from fedcli.privacy.sampled_gaussian import Floats, PrivacyLoss, neighbours, sampled_gaussian

# dp-accounting has no type information.
DpEvent: TypeAlias = Any

_MOST_POINTS = 1_000_000
# Of one release. With more, each round takes a second for its epsilon, and the transforms' rounding outweighs the gain.
_MOST_POINTS_OF_ONE = 300_000


class Release(NamedTuple):
    """One release, as a function of its noise multiplier.

    Args:
        event: noise multiplier -> dp-accounting's event.
        loss: `(noise multiplier, relation, releases)` -> distribution of the privacy loss of one of so many releases;
            None if it has none.
        divergences: `(noise multiplier, orders)` -> Renyi divergences; None to leave them to dp-accounting.
        is_gaussian: whether n releases are one release with the noise multiplier divided by sqrt(n).
    """

    event: Callable[[float], DpEvent]
    loss: Callable[[float, RelationName, int], PrivacyLoss] | None = None
    divergences: Callable[[float, tuple[float, ...]], Floats] | None = None
    is_gaussian: bool = False


class Composition(NamedTuple):
    """The composition of several releases, under one neighbouring relation.

    Args:
        relation: which federations are neighbours.
        accountants: the methods that are valid for it, the preferred one first.
        noise_multiplier: number of releases -> standard deviation of the noise over the sensitivity to one unit.
        once: the release that is composed.
        count: releases -> how often it is composed.
    """

    relation: RelationName
    accountants: tuple[AccountantName, ...]
    noise_multiplier: Callable[[int], float]
    once: Release
    count: Callable[[int], int]

    def event(self, releases: int, accountant: AccountantName) -> DpEvent:
        """The event as it is passed to dp-accounting."""
        import dp_accounting as dp

        multiplier = self._effective_multiplier(releases, accountant)
        return dp.SelfComposedDpEvent(self.once.event(multiplier), self.count(releases))

    def epsilon(self, releases: int, delta: float, accountant: AccountantName) -> float:
        """Epsilon of `releases` releases at `delta`; infinite without noise."""
        count, multiplier = self.count(releases), self._effective_multiplier(releases, accountant)
        # Before the check for noise: what was never released has lost nothing.
        if count == 0:
            return 0.0
        if multiplier == 0:
            return math.inf
        return _METHODS[accountant](self.once, multiplier, count, self.relation, delta)

    def zcdp(self, releases: int) -> float | None:
        """rho of zero-concentrated differential privacy; None if releases are sampled, or have no noise."""
        multiplier = self.noise_multiplier(releases) / (2 if self.relation == "replace-one" else 1)
        if not self.once.is_gaussian or multiplier == 0:
            return None
        return self.count(releases) / (2 * multiplier**2)

    def _effective_multiplier(self, releases: int, accountant: AccountantName) -> float:
        # Under replace-one the sum moves by twice the clip norm. dp-accounting's PLD doubles the sensitivity
        # itself; its RDP and the closed form do not, so for them the multiplier is halved.
        is_halved = self.relation == "replace-one" and accountant != "pld"
        return self.noise_multiplier(releases) / (2 if is_halved else 1)


def gaussian() -> Release:
    """A sum with Gaussian noise."""

    def event(noise_multiplier: float) -> DpEvent:
        import dp_accounting as dp

        return dp.GaussianDpEvent(noise_multiplier)

    return Release(
        event, lambda z, relation, count: _sampled_gaussian(z, 1.0, relation, count), is_gaussian=True
    )


def poisson(rate: float) -> Release:
    """A sum with Gaussian noise over a Poisson sample."""

    def event(noise_multiplier: float) -> DpEvent:
        import dp_accounting as dp

        return dp.PoissonSampledDpEvent(rate, dp.GaussianDpEvent(noise_multiplier))

    return Release(event, lambda z, relation, count: _sampled_gaussian(z, rate, relation, count))


def sampled(rate: float) -> Release:
    """A sum with Gaussian noise over units that each take part with probability `rate`; 1 is no sampling."""
    return gaussian() if rate == 1 else poisson(rate)


def methods(once: Release) -> tuple[AccountantName, ...]:
    """The accountants of a release in which a unit that takes part is there for sure or by a coin, tightest first."""
    # Without sampling, the composed releases are one Gaussian, whose curve has a closed form.
    return ("closed-form", "pld", "rdp") if once.is_gaussian else ("pld", "rdp")


def in_turns(multiplier: Callable[[int], float], sampling: Sampling) -> list[Composition]:
    """One release for each turn of a client, which it takes for sure or by a coin; the schedule of turns is public."""
    once = sampled(sampling.rate)
    # dp-accounting's RDP of a Poisson sample does not know clients that are replaced.
    replaced = methods(once) if once.is_gaussian else ("pld",)
    return [
        Composition("zero-out", methods(once), multiplier, once, sampling.participations),
        Composition("replace-one", replaced, multiplier, once, sampling.participations),
    ]


def interval(noise_multiplier: float, rate: float = 1.0, count: int = 1) -> float:
    """Grid of a privacy loss distribution.

    A privacy loss spreads as 1 / z^2, and so would the time that a fixed grid costs. A coarser grid only raises
    epsilon. If units are sampled rarely, the loss of one release has a deviation of about q sqrt(e^(1 / z^2) - 1). A
    grid as coarse as that would raise epsilon by a fifth; a tenth of it raises epsilon by less than a thousandth.

    Args:
        noise_multiplier: z, above 0.
        rate: q, probability that a unit takes part in a release.
        count: releases that are composed.
    """
    whole = 1e-4 * max(1.0, (1.5 / noise_multiplier) ** 2)
    # Beyond 30 the exponential is astronomic, and the grid follows from z alone.
    deviation = rate * math.sqrt(math.expm1(min(noise_multiplier**-2, 30.0)))
    # A grid a hundred times finer takes seconds; below it, epsilon is far below what matters.
    fine = max(min(whole, deviation / 10), whole / 100)
    # The sum of all losses spreads over about 16 of its deviations, which need time and memory. Even of 100,000
    # releases, a grid of a million points is far finer than a tenth of the deviation of one.
    largest = min(deviation, math.sqrt(rate) * (0.5 / noise_multiplier**2 + 1 / noise_multiplier))
    # The largest loss of a unit that is sampled, but for a probability of e^-50: so far reach dp-accounting's points.
    reach = max(0.0, math.log(rate) + 10 / noise_multiplier + 0.5 / noise_multiplier**2)
    return max(fine, 16 * math.sqrt(count) * largest / _MOST_POINTS, reach / _MOST_POINTS_OF_ONE)


def _sampled_gaussian(
    noise_multiplier: float, rate: float, relation: RelationName, count: int
) -> PrivacyLoss:
    return _on_grid(noise_multiplier, rate, relation, interval(noise_multiplier, rate, count))


# By the grid and not by the number of releases, which is another one in every round, mostly on the same grid.
@functools.lru_cache(maxsize=64)
def _on_grid(noise_multiplier: float, rate: float, relation: RelationName, step: float) -> PrivacyLoss:
    return sampled_gaussian(noise_multiplier, rate, relation, interval=step)


def _pld(once: Release, multiplier: float, count: int, relation: RelationName, delta: float) -> float:
    """Privacy loss distributions (Koskela et al. 2020, arXiv:1906.03049; Doroshenko et al. 2022, arXiv:2207.04380)."""
    if once.loss is None:
        raise ValueError(
            "this release has no privacy loss distribution, so PLD accounting is not valid for it"
        )
    if once.is_gaussian:
        # One distribution of the composed Gaussian is faster and tighter than composing discretised ones.
        multiplier, count = multiplier / math.sqrt(count), 1
    loss = once.loss(multiplier, relation, count)
    return composed_epsilon(loss, count, delta)


def _rdp(once: Release, multiplier: float, count: int, relation: RelationName, delta: float) -> float:
    """Renyi DP (Mironov 2017, arXiv:1702.07476; Wang et al. 2019, arXiv:1808.00087)."""
    from dp_accounting.rdp import RdpAccountant, compute_epsilon
    from dp_accounting.rdp.rdp_privacy_accountant import DEFAULT_RDP_ORDERS

    if once.divergences is not None:
        orders = tuple(DEFAULT_RDP_ORDERS)
        return float(compute_epsilon(orders, count * once.divergences(multiplier, orders), delta)[0])
    event, every = once.event(multiplier), DEFAULT_RDP_ORDERS

    @functools.cache
    def bound(index: int) -> float:
        accountant = RdpAccountant([every[index]], neighbours(relation)).compose(event, count)
        return float(accountant.get_epsilon(delta))

    # Every order gives a bound, and the bounds fall to the best one and rise after it, so that one order of 16 shows
    # where it is. For all orders of a sampled release, a search for its noise takes most of a second.
    with _without_warnings_of_dropped_orders():
        stride = 16
        at = min(range(0, len(every), stride), key=bound)
        while stride > 1:
            stride //= 2
            near = (at - stride, at, at + stride)
            at = min((index for index in near if 0 <= index < len(every)), key=bound)
        # Where most clients take part, dp-accounting's bound at a whole order may be below both beside it.
        return min(bound(index) for index, order in enumerate(every) if index == at or order in range(2, 11))


@contextlib.contextmanager
def _without_warnings_of_dropped_orders() -> Iterator[None]:
    # An order that dp-accounting cannot compute counts as infinite; the other orders alone still give a bound.
    def keep(record: logging.LogRecord) -> bool:
        return "Excluding this order" not in str(record.msg)

    logger = logging.getLogger("absl")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


def _closed_form(
    _once: Release, multiplier: float, count: int, _relation: RelationName, delta: float
) -> float:
    """The Gaussian mechanism's own curve (Balle and Wang 2018, arXiv:1805.06530)."""
    from dp_accounting import get_epsilon_gaussian

    return float(get_epsilon_gaussian(multiplier / math.sqrt(count), delta))


_METHODS = {"pld": _pld, "rdp": _rdp, "closed-form": _closed_form}
