"""Accountants: epsilon of a number of releases, under one neighbouring relation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from fedcli.core.privacy_events import AccountantName, RelationName, UnitName
from fedcli.privacy.composition import Composition
from fedcli.privacy.excess import charged

Epsilon: TypeAlias = Callable[[int, float], float]

READERS = "readers of the models of all rounds"


class Accountant(NamedTuple):
    """How a run's releases are accounted for.

    Args:
        name: `pld`, `rdp` or `closed-form`.
        relation: which federations are neighbours: they differ in one client (or example) that is added or removed,
            replaced, or whose contributions are zero.
        epsilon: `(releases, delta)` -> epsilon; infinite without noise.
        event: `releases` -> dp-accounting's composition of them, of its own event or of fedcli's.
        unit: what is protected.
        against: from whom `epsilon` protects.
        weaker: for each kind of observer that sees less, or knows more, the epsilon against it.
        zcdp: releases -> rho of zero-concentrated differential privacy (Bun and Steinke 2016, arXiv:1605.02065);
            None if no such bound is known, as for sampled releases. Noise that was discarded is not in it.
    """

    name: AccountantName
    relation: RelationName
    epsilon: Epsilon
    event: Callable[[int], Any]
    unit: UnitName = "client"
    against: str = READERS
    weaker: Mapping[str, Epsilon] = MappingProxyType({})
    zcdp: Callable[[int], float | None] = lambda _releases: None


def accountants_of(
    compositions: Sequence[Composition], *, excess_probability: float = 0.0
) -> list[Accountant]:
    """One accountant for each composition and each method that is valid for it, in that order.

    Args:
        compositions: the preferred one first.
        excess_probability: of one release, as `GaussianEvent` has it.
    """

    def accountant(composition: Composition, name: AccountantName) -> Accountant:
        # Every round asks for the epsilon of all releases so far, the engine and the statement alike.
        @functools.cache
        def epsilon(releases: int, delta: float) -> float:
            return charged(
                lambda allowed: composition.epsilon(releases, allowed, name),
                delta,
                releases * excess_probability,
            )

        return Accountant(
            name,
            composition.relation,
            epsilon,
            lambda releases: composition.event(releases, name),
            zcdp=composition.zcdp,
        )

    return [accountant(composition, name) for composition in compositions for name in composition.accountants]
