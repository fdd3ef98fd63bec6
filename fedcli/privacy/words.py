"""Cohorts, guarantees and warnings in words, for privacy.json and `fedcli privacy`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fedcli.core.counting import counted
from fedcli.core.exchange import Concealment
from fedcli.core.privacy_events import Event, RelationName, UnitName
from fedcli.core.sampling_scheme import Sampling
from fedcli.privacy.meaning import DEFENSIBLE, best_guess, percent
from fedcli.privacy.promise import Promise
from fedcli.privacy.table import accountant_for, mechanism_of


def cohorts(sampling: Mapping[str, Any]) -> str:
    """How a round's clients are drawn, from what `described` returns."""
    scheme, population = sampling["scheme"], sampling["population"]
    each = "each client" if population is None else f"each of {population:,} clients"
    if scheme == "poisson":
        return f"Poisson: {each} with probability {sampling['rate']:g}, by its own coin"
    if scheme == "capped-poisson":
        return (
            f"Poisson: {each} with probability {sampling['rate']:g}, and at most {sampling['cap']:,} of them"
        )
    if scheme == "fixed":
        return f"uniform: {sampling['size']:,} of {population:,} clients, without replacement"
    if scheme == "full":
        return f"full: all {'' if population is None else f'{population:,} '}clients in every round"
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


def warnings(promise: Promise, *, num_examples: int | None = None) -> list[str]:
    """Warnings to read before the epsilon.

    Args:
        promise: what the config plans.
        num_examples: training examples of all clients; None if that is not known or not published.
    """
    return list(_warnings(promise, num_examples))


def _warnings(promise: Promise, num_examples: int | None) -> Iterator[str]:
    event, sampling, delta = promise.event, promise.sampling, promise.target.delta
    mechanism, accountant = mechanism_of(event), accountant_for(event, sampling)
    epsilon = accountant.epsilon(promise.rounds, delta)
    if event.noise_multiplier == 0:
        yield "there is no noise, so that nobody is protected."
    elif epsilon > DEFENSIBLE:
        yield (
            f"epsilon {epsilon:.4g} after {promise.rounds:,} rounds is above {DEFENSIBLE:g}, and hard to defend: by "
            f"itself it lets somebody guess right in {percent(best_guess(epsilon, delta), 3)} of cases about one "
            f"{accountant.unit}. Use more noise, fewer rounds, or more clients."
        )
    if mechanism.needs_encryption and promise.encryption is None:
        yield (
            "updates are not encrypted: whoever sees a single one sees far less noise than epsilon counts on. Add "
            "for example encryption: {name: threshold, committee: 5, threshold: 3}."
        )
    yield from _of_colluders(promise, epsilon)
    units = sampling.population if mechanism.unit == "client" else num_examples
    if units is not None and units > 1 and delta > 1 / units:
        yield (
            f"delta {delta:g} exceeds 1 / {units:,} {mechanism.unit}s: publishing one {mechanism.unit} outright would "
            "meet it. Use a delta well below that."
        )


def _of_colluders(promise: Promise, epsilon: float) -> Iterator[str]:
    """Warnings about shares of the noise that somebody knows."""
    event, encryption, delta = promise.event, promise.encryption, promise.target.delta
    with_colluders = mechanism_of(event).with_colluders
    if event.noise_on != "shares" or with_colluders is None or event.noise_multiplier == 0:
        return
    for who, law in accountant_for(event, promise.sampling).weaker.items():
        against = law(promise.rounds, delta)
        if against > epsilon * (1 + 1e-9):
            yield f"epsilon is {_number(against)}, and not {_number(epsilon)}, against {who}."
    planned = 0 if encryption is None else encryption.collusion(promise.sampling.largest).planned
    if event.colluders < planned < event.contributors and encryption is not None:
        more = accountant_for(with_colluders(event, planned), promise.sampling)
        known = _number(more.epsilon(promise.rounds, delta))
        yield (
            f"epsilon counts on at most {event.colluders} clients that collude with the server; {encryption.name} "
            f"encryption is planned for {planned}, with whom epsilon is {known}. "
            "Leave strategy.colluders out to add as much noise as that takes."
        )


def colluders(promise: Promise) -> list[tuple[int, str]]:
    """Numbers of clients in league with the server for which epsilon is stated, and why; empty for other mechanisms."""
    event, encryption = promise.event, promise.encryption
    if event.noise_on != "shares":
        return []
    asked = {0: "nobody colludes with the server"}
    if encryption is not None:
        collusion = encryption.collusion(promise.sampling.largest)
        asked[collusion.planned] = f"as many as {encryption.name} encryption is planned for"
        asked[collusion.most] = (
            f"the most with which {encryption.name} encryption hides single updates, whoever they are"
        )
    asked[event.colluders] = "as many as epsilon counts on"
    asked[event.contributors - 1] = "all guaranteed contributors but one"
    return sorted(asked.items())


def unless_opened(promise: Promise, colluders: int, alone: float) -> tuple[str, bool]:
    """What a row of `colluders` must add where so many may open single updates, and whether these can stay hidden.

    Args:
        promise: what the config plans.
        colluders: number of clients in league with the server.
        alone: epsilon of one share of the noise.
    """
    event, encryption = promise.event, promise.encryption
    if encryption is None or event.noise_on != "shares" or colluders >= event.contributors - 1:
        return "", True
    collusion = encryption.collusion(promise.sampling.largest)
    if colluders <= collusion.most:
        return "", True
    if collusion.condition:
        otherwise = f"otherwise epsilon is that of all but one: {_number(alone)}"
        return f", {collusion.condition}; {otherwise}", True
    return f"; {encryption.name} encryption does not hide single updates from so many", False


def holds_for(against: str, event: Event, encryption: Concealment | None) -> str:
    """From whom epsilon protects, and under which assumption.

    Args:
        against: from whom, in the accountant's words.
        event: what one round releases.
        encryption: of the updates, if they are encrypted.
    """
    if event.noise_on != "shares" or not mechanism_of(event).needs_encryption:
        return against
    if encryption is None:
        return f"{against}; updates are not encrypted in this run, so that its server sees every single one"
    return (
        f"{against}, as {encryption.name} encryption has it if {encryption.assumes}; and if at most "
        f"{event.colluders} of {event.contributors} guaranteed contributors tell the server their share of the noise"
    )


def publishes(promise: Promise) -> str:
    """Which figures the logs of the run have."""
    if not promise.publishes_noised_only:
        return "all figures, with noise and without (privacy.publish: all)"
    if promise.has_public_test:
        return (
            "the round, epsilon, and figures of the noised model on the test set, which holds no rows of clients "
            "(privacy.publish: noised-only)"
        )
    return (
        "the round and epsilon; figures on the test set are withheld, because it consists of clients' own rows "
        "(privacy.publish: noised-only)"
    )


def in_words(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The content of privacy.json as pairs of a heading and a sentence, the most important first.

    A statement of an older run lacks some entries, whose lines are left out.
    """
    yield (
        "epsilon",
        f"{_number(statement['epsilon'])} at delta {statement['delta']:g} after "
        f"{counted(statement['rounds'], 'round')}",
    )
    for who, weaker in statement["weaker_epsilons"].items():
        yield "", f"{_number(weaker)} against {who}"
    for each in statement.get("epsilons_by_colluders", ()):
        yield "", f"{_number(each['epsilon'])} with {each['colluders']:,} colluders: {each['about']}"
    yield from _listed("means", statement.get("meaning", ()))
    if statement["budget"] is not None:
        yield "budget", f"the run stops before the round that would pass epsilon {statement['budget']:g}"
    yield "protects", protected(statement["unit"], statement["relation"])
    yield "holds for", statement["holds_for"]
    yield from _listed("does not hold against", statement.get("does_not_hold_against", ()))
    yield from _of_plan(statement)
    yield "mechanism", statement["mechanism"]
    yield "cohorts", cohorts(statement["sampling"])
    yield "noise", statement["noise"]
    yield "accountant", f"{statement['accountant']['name']} of {statement['accountant']['package']}"
    for heading, key in (("warning", "warnings"), ("not covered", "not_covered")):
        yield from _listed(heading, statement[key])
    if "publishes" in statement:
        yield "publishes", statement["publishes"]
    if statement["published_without_noise"]:
        yield "published without noise", ", ".join(statement["published_without_noise"])
    if run := statement.get("run"):
        known = [f"{name} {value}" for name, value in run.items() if value is not None]
        yield "run", ", ".join(known)


def _of_plan(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if rho := statement.get("zcdp"):
        unless = rho.get("except_with_probability")
        yield "zCDP", f"rho {rho['rho']:.4g}" + (f", except with probability {unless:.2g}" if unless else "")
    if plan := statement.get("planned"):
        by_relation = [
            f"{_number(value)} under {name}"
            for name, value in plan["epsilon_by_relation"].items()
            if value is not None
        ]
        yield f"of {counted(plan['rounds'], 'round')}", f"epsilon is {', '.join(by_relation) or 'infinite'}"
        turns = plan["turns_of_a_client"]
        yield (
            "",
            f"one client takes part in at most {turns['at_most']:,}, on average in {turns['expected']:.4g}",
        )


def _listed(heading: str, sentences: Iterable[str]) -> Iterator[tuple[str, str]]:
    for index, sentence in enumerate(sentences):
        yield "" if index else heading, sentence


def _number(value: float | None) -> str:
    return "infinite" if value is None or math.isinf(value) else f"{value:.4g}"
