"""The content of privacy.json: what was released, what it guarantees, from whom, and what is not covered."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from importlib.metadata import version
from typing import Any, get_args

from fedcli.core.privacy_events import RelationName
from fedcli.privacy import words
from fedcli.privacy.accountant import Accountant
from fedcli.privacy.meaning import meaning
from fedcli.privacy.promise import NOTHING_KNOWN, Promise, RunFacts
from fedcli.privacy.table import accountant_for, mechanism_of, relations_of
from fedcli.privacy.uncovered import does_not_hold_against, not_covered

FORMAT = 3
"""Of privacy.json. The first had no such entry, and other accountants for cohorts without sampling; the second other
sentences, and no epsilon of its own for participants under cohorts of fixed size."""


def privacy_statement(
    promise: Promise,
    facts: RunFacts = NOTHING_KNOWN,
    *,
    releases: int,
    records: Sequence[Mapping[str, Any]] = (),
    published: Collection[str] = (),
) -> dict[str, Any]:
    """Content of privacy.json after `releases` rounds: a function of its arguments alone, so that it can be checked.

    Args:
        promise: what the config plans.
        facts: of the run.
        releases: rounds charged so far, void ones included.
        records: the rounds of metrics.jsonl so far, with their epsilons.
        published: names of the figures that were published without noise.
    """
    event, sampling, delta = promise.event, promise.sampling, promise.target.delta
    mechanism, accountant = mechanism_of(event), accountant_for(event, sampling)
    epsilon, composed = accountant.epsilon(releases, delta), accountant.event(releases)
    others = (
        "" if promise.publishes_noised_only else "; not readers of metrics.jsonl, clients.jsonl or proofs/"
    )
    return {
        "format": FORMAT,
        "run": {"id": facts.run, "begun": facts.begun, "fedcli": facts.fedcli},
        "unit": accountant.unit,
        "relation": accountant.relation,
        "mechanism": mechanism.words(event),
        "clip_norm": _finite(event.clip_norm),
        "noise_multiplier": event.noise_multiplier,
        "sampling": words.described(sampling),
        # Another version may compute another epsilon of the same events.
        "accountant": {"name": accountant.name, "package": f"dp-accounting {version('dp-accounting')}"},
        "events": [{"event": serialised(composed.event), "count": composed.count}],
        "rounds": releases,
        "delta": delta,
        "epsilon": _finite(epsilon),
        "meaning": list(meaning(epsilon, delta, accountant.unit, accountant.relation)),
        "weaker_epsilons": {who: _finite(law(releases, delta)) for who, law in accountant.weaker.items()},
        "epsilons_by_colluders": by_colluders(promise, releases),
        "zcdp": _zcdp(promise, accountant, releases),
        "planned": _planned(promise, accountant),
        "epsilon_after_round": {
            str(record["round"]): record["epsilon"] for record in records if "epsilon" in record
        },
        "budget": promise.target.epsilon,
        "holds_for": f"{words.holds_for(accountant.against, event, promise.encryption)}{others}",
        "does_not_hold_against": list(does_not_hold_against(promise)),
        "warnings": words.warnings(promise, num_examples=facts.num_examples),
        "not_covered": not_covered(promise),
        "publishes": words.publishes(promise),
        "published_without_noise": sorted(published),
        "noise": _noise(promise),
    }


def _noise(promise: Promise) -> str:
    if promise.event.noise_multiplier == 0:
        return "none: the noise multiplier is 0, so this run protects nobody"
    # Noise that somebody can compute again protects nobody, however large it is.
    if promise.reproducible_noise:
        return "drawn from the experiment's seed: whoever knows the seed can take it away; protects nobody"
    step = (
        "at most 2^-25 of its deviation"
        if promise.grid_bits is None
        else f"the clip norm / 2^{promise.grid_bits}"
    )
    return mechanism_of(promise.event).noise.format(step=step)


def by_colluders(promise: Promise, releases: int) -> list[dict[str, Any]]:
    """Epsilon for other numbers of clients that reveal their share of the noise to the server."""
    found: list[dict[str, Any]] = []
    event, with_colluders = promise.event, mechanism_of(promise.event).with_colluders
    if with_colluders is None or event.noise_on != "shares":
        return found

    def known(colluders: int) -> float:
        # With all of them no noise is left that could be accounted for.
        if colluders >= event.contributors:
            return math.inf if releases else 0.0
        accountant = accountant_for(with_colluders(event, colluders), promise.sampling)
        return accountant.epsilon(releases, promise.target.delta)

    for colluders, about in words.colluders(promise):
        # A single update that is opened has one share of the noise, as a sum with one honest share has.
        alone = known(event.contributors - 1)
        unless, is_hidden = words.unless_opened(promise, colluders, alone)
        epsilon = known(colluders) if is_hidden else max(alone, known(colluders))
        found.append({"colluders": colluders, "about": about + unless, "epsilon": _finite(epsilon)})
    return found


def _zcdp(promise: Promise, accountant: Accountant, releases: int) -> dict[str, float] | None:
    rho = accountant.zcdp(releases)
    if rho is None:
        return None
    excess = getattr(promise.event, "excess_probability", 0.0)
    return {"rho": rho, **({"except_with_probability": releases * excess} if excess else {})}


def _planned(promise: Promise, accountant: Accountant) -> dict[str, Any]:
    """Of all planned rounds: epsilon under every relation, and the turns of one client.

    Of the plan and not of the rounds so far: it is calculated once, and another relation may take as long as the first.
    """
    valid = relations_of(promise.event, promise.sampling)
    at_most = promise.sampling.participations(promise.rounds)
    return {
        "rounds": promise.rounds,
        "epsilon": _finite(accountant.epsilon(promise.rounds, promise.target.delta)),
        # No accountant is valid for the others.
        "epsilon_by_relation": {
            name: _finite(valid[name].epsilon(promise.rounds, promise.target.delta))
            if name in valid
            else None
            for name in get_args(RelationName)
        },
        "turns_of_a_client": {"at_most": at_most, "expected": at_most * promise.sampling.share},
    }


def serialised(event: Any) -> Any:
    """An event of dp-accounting, or of fedcli, as JSON: its type and its fields."""
    if is_dataclass(event) and not isinstance(event, type):
        fields = {name: serialised(value) for name, value in asdict(event).items()}
        return {"type": type(event).__name__, **fields}
    if hasattr(event, "to_named_tuple"):
        names = event.to_named_tuple()._fields[2:]  # after the names of the module and the type
        return {"type": type(event).__name__, **{name: serialised(getattr(event, name)) for name in names}}
    return _finite(event) if isinstance(event, float) else event


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
