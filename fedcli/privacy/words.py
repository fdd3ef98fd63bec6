"""Cohorts, guarantees and warnings in words, for privacy.json and `fedcli privacy`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fedcli.core.exchange import Concealment
from fedcli.core.privacy_events import Event, RelationName, UnitName
from fedcli.core.sampling_scheme import Sampling
from fedcli.privacy.table import mechanism_of


def cohorts(sampling: Mapping[str, Any]) -> str:
    """How a round's clients are drawn, from what `described` returns."""
    scheme, population = sampling["scheme"], sampling["population"]
    if scheme == "poisson":
        return (
            f"Poisson: each of {population:,} clients with probability {sampling['rate']:g}, by its own coin"
        )
    if scheme == "capped-poisson":
        return (
            f"Poisson: each of {population:,} clients with probability {sampling['rate']:g}, "
            f"and at most {sampling['cap']:,} of them"
        )
    if scheme == "fixed":
        return f"fixed size: {sampling['size']:,} of {population:,} clients, without replacement"
    if scheme == "full":
        return f"full: all {population:,} clients in every round"
    turn = f"a client waits {sampling['separation']:,} rounds from one turn to its next"
    coin = "" if sampling["rate"] == 1 else f", and takes part with probability {sampling['rate']:g}"
    return f"in turns: {turn}{coin}"


def described(sampling: Sampling) -> dict[str, Any]:
    """A sampling scheme with its own settings, and the constant by which sums are divided."""
    made: dict[str, Any] = {"scheme": sampling.scheme, "population": sampling.population}
    if sampling.has_fixed_size:
        return {**made, "size": sampling.size, "planned_divisor": sampling.size}
    made["rate"] = sampling.rate
    if sampling.scheme == "capped-poisson":
        made["cap"] = sampling.cap
    if sampling.scheme == "min-separation":
        made["separation"] = sampling.separation
    # A constant: the realised number of clients is not noised, so nothing may be divided by it.
    expected = sampling.rate * sampling.population / sampling.separation
    return {**made, "planned_divisor": min(expected, sampling.cap) if sampling.cap else expected}


def protected(unit: UnitName, relation: RelationName) -> str:
    """What two neighbouring federations differ in."""
    one = "one client with all its data" if unit == "client" else "one example of one client, not the client"
    differs = {
        "add-remove": "there or not",
        "replace-one": "replaced by any other",
        "zero-out": "there, or sending zeros",
    }
    return f"{one}: {differs[relation]} ({relation})"


def warnings(
    event: Event, sampling: Sampling, delta: float, *, encryption: Concealment | None = None
) -> list[str]:
    """Warnings to read before the epsilon.

    Args:
        event: what one round releases.
        sampling: how cohorts are drawn.
        delta: at which epsilon is stated.
        encryption: of the updates, if they are encrypted.
    """
    found = []
    if event.noise_multiplier == 0:
        found.append("there is no noise, so that nobody is protected.")
    if mechanism_of(event).needs_encryption and encryption is None:
        found.append(
            "updates are not encrypted: whoever sees a single one sees far less noise than epsilon counts on. Add "
            "for example encryption: {name: threshold, committee: 5, threshold: 3}."
        )
    # Nothing is known of how many examples there are in all, so only clients can be counted.
    protects_clients = mechanism_of(event).unit == "client"
    if protects_clients and sampling.population > 1 and delta > 1 / sampling.population:
        found.append(
            f"delta {delta:g} exceeds 1 / {sampling.population:,} clients: publishing one client outright would "
            "meet it. Use a delta well below that."
        )
    return found


def holds_for(against: str, event: Event, encryption: Concealment | None) -> str:
    """From whom epsilon protects, and under which assumption.

    Args:
        against: from whom, in the accountant's words.
        event: what one round releases.
        encryption: of the updates, if they are encrypted.
    """
    if not mechanism_of(event).needs_encryption:
        return against
    if encryption is None:
        return f"{against}; updates are not encrypted in this run, so that its server sees every single one"
    return f"{against}, as {encryption.name} encryption has it if {encryption.assumes}"


def in_words(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The content of privacy.json as pairs of a heading and a sentence, the most important first."""
    epsilon = "infinite" if statement["epsilon"] is None else f"{statement['epsilon']:.4g}"
    yield "epsilon", f"{epsilon} at delta {statement['delta']:g} after {statement['rounds']:,} rounds"
    for who, weaker in statement["weaker_epsilons"].items():
        yield "", f"{'infinite' if weaker is None else f'{weaker:.4g}'} against {who}"
    if statement["budget"] is not None:
        yield "budget", f"the run stops before the round that would pass epsilon {statement['budget']:g}"
    yield "protects", protected(statement["unit"], statement["relation"])
    yield "holds for", statement["holds_for"]
    yield "mechanism", statement["mechanism"]
    yield "cohorts", cohorts(statement["sampling"])
    yield "noise", statement["noise"]
    yield "accountant", f"{statement['accountant']['name']} of {statement['accountant']['package']}"
    for heading, key in (("warning", "warnings"), ("not covered", "not_covered")):
        for index, sentence in enumerate(statement[key]):
            yield heading if not index else "", sentence
    if statement["published_without_noise"]:
        yield "published without noise", ", ".join(statement["published_without_noise"])
