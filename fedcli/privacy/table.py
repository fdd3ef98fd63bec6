"""The table of mechanisms, by type of event, and the accountants that follow from it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

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
    TreeEvent,
)
from fedcli.core.sampling_scheme import Sampling
from fedcli.privacy.accountant import Accountant
from fedcli.privacy.central import CENTRAL
from fedcli.privacy.correlated import BANDED, TREE
from fedcli.privacy.distributed import DISTRIBUTED
from fedcli.privacy.mechanism import PrivacyMechanism
from fedcli.privacy.on_clients import DATA, EXAMPLE, LOCAL

MECHANISMS: Mapping[type[Event], PrivacyMechanism[Any]] = {
    GaussianEvent: CENTRAL,
    DistributedGaussianEvent: DISTRIBUTED,
    LocalGaussianEvent: LOCAL,
    TreeEvent: TREE,
    BandedEvent: BANDED,
    ExampleEvent: EXAMPLE,
    PrivatisedDataEvent: DATA,
}


def mechanism_of(event: Event) -> PrivacyMechanism[Any]:
    """The row of an event.

    Raises:
        TypeError: if the table has none for its type.
    """
    found = MECHANISMS.get(type(event))
    if found is None:
        raise TypeError(f"{type(event).__name__} is not a privacy event of the table in fedcli.privacy.table")
    return found


def accountant_for(
    event: Event,
    sampling: Sampling,
    *,
    relation: RelationName | None = None,
    accountant: AccountantName | None = None,
) -> Accountant:
    """The accountant that is valid for what a round releases and for the way its cohort is drawn.

    Args:
        event: what one round releases.
        sampling: how cohorts are drawn.
        relation: neighbouring relation; None takes the preferred one.
        accountant: its name; None takes the tightest that is valid.

    Raises:
        ConfigError: if no accountant is valid for this, with those that are.
    """
    if sampling.scheme == "chosen":
        raise ConfigError(
            "no accountant is valid for a cohort that is chosen by what clients reported.",
            key="cohort",
            hint="Use a cohort that chance alone decides, such as poisson.",
        )
    valid = _accountants(event, sampling)
    for each in valid:
        if relation in (None, each.relation) and accountant in (None, each.name):
            return each
    asked = " under ".join(word for word in (accountant, relation) if word)
    known = ", ".join(f"{each.name} under {each.relation}" for each in valid)
    is_wrong_relation = relation is not None and relation not in {each.relation for each in valid}
    raise ConfigError(
        f"{asked} is not valid for this mechanism and {sampling.scheme} cohorts.",
        key="relation" if is_wrong_relation else "accountant",
        hint=f"Valid is {known}.",
    )


def relations_of(event: Event, sampling: Sampling) -> dict[RelationName, Accountant]:
    """The preferred accountant under each neighbouring relation that has a valid one."""
    found: dict[RelationName, Accountant] = {}
    for each in _accountants(event, sampling):
        found.setdefault(each.relation, each)
    return found


# Kept, because each accountant remembers its epsilons, and a run asks for it again in every round.
@functools.lru_cache(maxsize=256)
def _accountants(event: Event, sampling: Sampling) -> list[Accountant]:
    mechanism = mechanism_of(event)
    return [
        each._replace(unit=mechanism.unit, against=mechanism.against)
        for each in mechanism.accountants(event, sampling)
    ]
