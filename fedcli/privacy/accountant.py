"""Events -> epsilon, with the accountant that is valid for the way cohorts are drawn; what is not valid is refused."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from fedcli.core.errors import ConfigError
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
    Sampling,
    TreeEvent,
    UnitName,
)
from fedcli.privacy.central import central
from fedcli.privacy.composition import Composition
from fedcli.privacy.correlated import banded, tree
from fedcli.privacy.distributed import distributed
from fedcli.privacy.excess import charged
from fedcli.privacy.on_clients import example_level, local, privatised_data

Epsilon = Callable[[int, float], float]


class Accountant(NamedTuple):
    """How a run's releases are accounted for.

    Args:
        name: `pld`, `rdp` or `closed-form`.
        relation: which federations count as neighbours: one client (or example) more or less, replaced, or
            its contributions set to zero.
        epsilon: `(releases, delta)` -> epsilon; infinite without noise.
        event: `releases` -> dp-accounting's composition of them, of its own event or of fedcli's.
        unit: what is protected.
        against: from whom `epsilon` protects.
        weaker: epsilons against others who see less, by who they are.
    """

    name: AccountantName
    relation: RelationName
    epsilon: Epsilon
    event: Callable[[int], Any]
    unit: UnitName = "client"
    against: str = "readers of the models of all rounds"
    weaker: Mapping[str, Epsilon] = MappingProxyType({})


def accountant_for(
    event: Event,
    sampling: Sampling,
    *,
    relation: RelationName | None = None,
    accountant: AccountantName | None = None,
) -> Accountant:
    """The accountant that is valid for what a round releases and the way its cohort is drawn.

    Args:
        event: what one round releases.
        sampling: how cohorts are drawn.
        relation: neighbouring relation; None takes the one that fits best.
        accountant: its name; None takes the tightest that is valid.

    Raises:
        ConfigError: if no accountant is valid for this, with what would be.
    """
    return _accountant_for(event, sampling, relation, accountant)


@functools.lru_cache(maxsize=256)
def _accountant_for(
    event: Event, sampling: Sampling, relation: RelationName | None, name: AccountantName | None
) -> Accountant:
    if isinstance(event, DistributedGaussianEvent):
        return _of_shares(event, sampling, relation, name)
    compositions = _compositions(event, sampling)
    for composition in compositions:
        if relation in (None, composition.relation) and name in (None, *composition.accountants):
            return _of(composition, name or composition.accountants[0], event)
    raise _mismatch(
        [(each.relation, accountant) for each in compositions for accountant in each.accountants],
        relation,
        name,
        sampling,
    )


def _compositions(event: Event, sampling: Sampling) -> list[Composition]:
    if isinstance(event, GaussianEvent):
        return central(event, sampling)
    if isinstance(event, LocalGaussianEvent):
        return local(event, sampling)
    if isinstance(event, TreeEvent):
        return tree(event, sampling)
    if isinstance(event, BandedEvent):
        return banded(event, sampling)
    if isinstance(event, ExampleEvent):
        return example_level(event, sampling)
    if isinstance(event, PrivatisedDataEvent):
        return privatised_data(event, sampling)
    raise TypeError(f"{type(event).__name__} is no privacy event")


_AGAINST = {
    LocalGaussianEvent: "the server, and everybody else who sees the client's updates",
    ExampleEvent: "the server, and everybody else who sees the client's updates",
    PrivatisedDataEvent: "everybody but the client, which keeps the data as they were",
}


def _of(composition: Composition, name: AccountantName, event: Event) -> Accountant:
    unused = event.excess_probability if isinstance(event, GaussianEvent) else 0.0

    @functools.cache
    def epsilon(releases: int, delta: float) -> float:
        def at(allowed: float) -> float:
            return composition.epsilon(releases, allowed, name)

        return charged(at, delta, releases * unused)

    made = Accountant(name, composition.relation, epsilon, lambda releases: composition.event(releases, name))
    unit: UnitName = "example" if isinstance(event, ExampleEvent | PrivatisedDataEvent) else "client"
    return made._replace(unit=unit, against=_AGAINST.get(type(event), made.against))


def _of_shares(
    event: DistributedGaussianEvent,
    sampling: Sampling,
    relation: RelationName | None,
    name: AccountantName | None,
) -> Accountant:
    coordinator, readers = distributed(event, sampling)
    own: RelationName = "replace-one" if sampling.scheme == "fixed" else "zero-out"
    if relation not in (None, own) or name not in (None, "rdp"):
        raise _mismatch([(own, "rdp")], relation, name, sampling)

    def composed(releases: int) -> Any:
        import dp_accounting as dp

        return dp.SelfComposedDpEvent(event, releases)

    return Accountant(
        "rdp",
        own,
        functools.cache(coordinator),
        composed,
        against="a coordinator who sees the cohort and every sum, but no single update",
        weaker={"readers of the models of all rounds": functools.cache(readers)},
    )


def _mismatch(
    valid: list[tuple[RelationName, AccountantName]],
    relation: RelationName | None,
    name: AccountantName | None,
    sampling: Sampling,
) -> ConfigError:
    asked = " under ".join(word for word in (name, relation) if word)
    known = ", ".join(f"{accountant} under {neighbours}" for neighbours, accountant in valid)
    return ConfigError(
        f"{asked} is not valid for this mechanism and {sampling.scheme} cohorts.",
        key="relation" if relation and relation not in {each for each, _ in valid} else "accountant",
        hint=f"Valid is {known}.",
    )
