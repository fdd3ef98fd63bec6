"""The privacy document of a run as Markdown: what is claimed, for whom, under which assumptions, and what is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fedcli.config import inline
from fedcli.privacy import in_words
from fedcli.privacy.words import cohorts, protected
from fedcli.runs.privacy_claim.claim import PrivacyClaim
from fedcli.runs.privacy_claim.claim_markup import as_shown, bullets, heading, paragraph, table
from fedcli.runs.privacy_claim.claim_terms import glossary
from fedcli.runs.privacy_claim.claim_trust import trust
from fedcli.runs.privacy_claim.other_releases import other_releases

_SHOWN_ROUNDS = 6


def claim_document(claim: PrivacyClaim) -> str:
    """The document as Markdown, one to three pages; the same files give the same text.

    Every text of the run is shown as it is: none of it is markup.
    """
    parts = [*heading(f"Privacy of the run {claim.experiment.name}", 1)]
    if claim.statement is None:
        parts += [*_of_no_noise(claim)]
    else:
        parts += [*_in_short(claim.statement), *_run(claim), *_claimed(claim.statement)]
        parts += [*trust(claim), *_mechanism(claim.statement), *_data_claim(claim.statement)]
    parts += [*other_releases(claim), *_limits(claim), *_verified(claim)]
    text = "\n".join(parts)
    terms = [f"- **{term}**: {as_shown(meaning)}." for term, meaning in glossary(text)]
    return "\n".join([text, *heading("Words"), *terms, ""])


def _in_short(statement: Mapping[str, Any]) -> Iterator[str]:
    epsilon, unit = statement["epsilon"], statement["unit"]
    yield from heading("In short")
    if epsilon is None:
        yield from paragraph("This run promises nothing: its noise does not bound what its releases reveal.")
    else:
        yield (
            f"Each {unit} is protected by differential privacy with **epsilon {epsilon:.4g}** at delta "
            f"{statement['delta']:g}, after {_rounds(statement['rounds'])}. It protects from "
            f"{as_shown(statement['holds_for'].replace('; not ', '; not from '))}."
        )
        yield ""
    warnings = [f"Warning: {sentence}" for sentence in statement["warnings"]]
    # A claim that is hard to defend must not look like one that is not.
    yield from bullets([*statement.get("meaning", ()), *warnings])


def _run(claim: PrivacyClaim) -> Iterator[str]:
    experiment, environment = claim.experiment, claim.environment
    packages = environment.get("packages")
    versions = [
        f"fedcli {environment.get('fedcli', 'unknown')}{_commit(environment)}",
        f"Python {environment.get('python', 'unknown')}",
    ]
    if isinstance(packages, Mapping):
        versions += [f"{name} {version}" for name, version in packages.items()]
    partition = experiment.data.partition
    yield from heading("The run")
    yield from table(
        [
            ("run", f"{environment.get('run', 'unknown')} (folder {claim.folder})"),
            ("begun", environment.get("begun", "not stated")),
            ("rounds", f"{claim.last:,} of {experiment.rounds:,} planned"),
            (
                "dataset",
                f"{experiment.data.part.name}, {_dealt(partition.name if partition else None, environment)}",
            ),
            ("model", inline(experiment.model.part)),
            ("strategy", experiment.strategy.name),
            ("versions", ", ".join(versions)),
            ("head", f"{claim.report.head}, of the checkpoint of round {claim.last}"),
        ],
    )


def _dealt(partition: str | None, environment: Mapping[str, Any]) -> str:
    clients = environment.get("num_clients", "an unknown number of")
    return f"over {clients} clients" + (f" by the partition {partition}" if partition else "")


def _commit(environment: Mapping[str, Any]) -> str:
    """The commit of fedcli, if it ran from a work tree of git."""
    states = environment.get("git")
    state = states.get("fedcli") if isinstance(states, Mapping) else None
    if not isinstance(state, Mapping):
        return ""
    return f" (commit {state.get('commit')}{', changed' if state.get('is_dirty') else ''})"


def _claimed(statement: Mapping[str, Any]) -> Iterator[str]:
    yield from heading("What is claimed")
    yield from table(_claim_rows(statement))


def _claim_rows(statement: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    unit, relation = statement["unit"], statement["relation"]
    yield "Unit of privacy: what does one epsilon protect?", protected(unit, relation).partition(":")[0]
    differs = protected(unit, relation).partition(": ")[2]
    yield "Neighbouring relation: which two cases can hardly be told apart?", f"the {unit} is {differs}"
    yield "Epsilon", f"{_number(statement['epsilon'])}, of {_rounds(statement['rounds'])} together"
    yield "Delta", f"{statement['delta']:g}"
    for who, weaker in statement["weaker_epsilons"].items():
        yield "Epsilon against others", f"{_number(weaker)} against {who}"
    for each in statement.get("epsilons_by_colluders", ()):
        count = f"{each['colluders']:,} colluders"
        yield f"Epsilon with {count}", f"{_number(each['epsilon'])}: {each['about']}"
    if plan := statement.get("planned"):
        known = [
            f"{name} {_number(value)}"
            for name, value in plan["epsilon_by_relation"].items()
            if value is not None
        ]
        relations = ", ".join(known) or "none is known"
        yield f"Epsilon of all {plan['rounds']:,} planned rounds, by relation", relations
    if rho := statement.get("zcdp"):
        yield "zCDP", f"rho {rho['rho']:.4g}"
    if statement["budget"] is not None:
        yield "Budget", f"the run stops before the round that would exceed epsilon {statement['budget']:g}"


def _mechanism(statement: Mapping[str, Any]) -> Iterator[str]:
    yield from heading("Mechanism, sampling and composition")
    clip = statement["clip_norm"]
    rows: list[tuple[str, object]] = [
        ("Mechanism", statement["mechanism"]),
        (
            "Bound on one contribution",
            "none" if clip is None else f"clip norm {clip:g}; what is longer is scaled down to it",
        ),
        ("Noise multiplier", f"{statement['noise_multiplier']:.6g}"),
        ("Sampling of cohorts", cohorts(statement["sampling"])),
        ("Releases", f"{statement['rounds']:,}, composed as {_composed(statement)}"),
        ("Accountant", f"{_accountant(statement)} of {statement['accountant']['package']}"),
    ]
    if plan := statement.get("planned"):
        turns = plan["turns_of_a_client"]
        rows.append(
            (
                "Rounds of one client",
                f"at most {turns['at_most']:,}, on average {turns['expected']:.4g}, of {plan['rounds']:,}",
            )
        )
    rows.append(("Epsilon over the rounds", _course(statement)))
    rows.append(("Randomness and floating point", statement["noise"]))
    yield from table(rows)


def _composed(statement: Mapping[str, Any]) -> str:
    """The events that the accountant added up, by the names that dp-accounting gives them."""
    return ", ".join(f"{each['count']:,} x {_event(each['event'])}" for each in statement["events"]) or "none"


def _event(event: Any) -> str:
    if not isinstance(event, Mapping):
        return str(event)
    facts = [
        f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {_event(value)}"
        for name, value in event.items()
        if name != "type" and value is not None
    ]
    return f"{event.get('type', 'unknown')}({', '.join(facts)})"


def _course(statement: Mapping[str, Any]) -> str:
    course = [
        (int(round), epsilon)
        for round, epsilon in statement.get("epsilon_after_round", {}).items()
        if epsilon is not None
    ]
    if not course:
        return "not stated"
    last = len(course) - 1
    chosen = sorted({last * step // (_SHOWN_ROUNDS - 1) for step in range(_SHOWN_ROUNDS)})
    return ", ".join(f"{course[index][1]:.4g} after round {course[index][0]:,}" for index in chosen)


def _data_claim(statement: Mapping[str, Any]) -> Iterator[str]:
    """A second claim, about the clients' examples, where the rounds have one of their own."""
    if isinstance(statement.get("data"), Mapping):
        yield from heading("A second claim: the clients' examples are noised too")
        yield from table(in_words(statement["data"]))


def _of_no_noise(claim: PrivacyClaim) -> Iterator[str]:
    yield from heading("In short")
    yield "**No differential privacy is promised.**"
    yield ""
    yield from paragraph(
        "No noise was added in this run. Its models, and all figures about them, may show with certainty what any "
        "client contributed, and that it took part. There is no epsilon; a strategy such as dp-clipped has one."
    )
    yield from _run(claim)
    yield from trust(claim)


def _limits(claim: PrivacyClaim) -> Iterator[str]:
    yield from heading("Assumptions")
    private = claim.statement is not None
    assumed = [
        "The software does what it says: fedcli, the libraries above, and the machine that ran them.",
        "The data of each client are its own. If one person's data are with several clients, or in several examples, "
        "these are protected each, and the person less."
        if private
        else "",
        f"Updates: {claim.encryption['assumes']}."
        if claim.encryption and isinstance(claim.encryption.get("assumes"), str)
        else "",
        "All parties of this run were simulated on one machine by one program: it shows what a federation would do, "
        "and does not keep any party's secret from whoever controls the machine.",
    ]
    yield from bullets(sentence for sentence in assumed if sentence)
    if claim.statement is None:
        return
    yield from heading("What is not covered")
    yield from bullets(
        [
            *(f"Against: {who}" for who in claim.statement.get("does_not_hold_against", ())),
            *(f"Not covered: {what}" for what in claim.statement["not_covered"]),
            "Not covered: how long something takes, or how much memory, which somebody near the machine may measure",
        ]
    )


def _verified(claim: PrivacyClaim) -> Iterator[str]:
    counts = claim.report.counts()
    checked = sum(each.checked for each in counts)
    left = list(dict.fromkeys(finding.unchecked for finding in claim.report.unchecked))
    yield from heading("How to check this document")
    yield from paragraph(
        f"It was made from the run's own files only, after fedcli verify had made {checked:,} checks of them, which "
        "all hold.",
        "Whoever has the run directory can repeat them, and make this document again:",
    )
    yield "```sh"
    yield "fedcli verify RUN               # prints the head, which is the one above"
    yield "fedcli privacy RUN --document privacy.md"
    if claim.statement is not None and claim.statement["unit"] == "client":
        yield "fedcli audit RUN/config.yaml    # an attack for a lower bound on epsilon; its result is not part of this"
    yield "```"
    yield ""
    if claim.statement is not None and claim.statement["unit"] != "client":
        yield from paragraph("No audit of this claim was made: fedcli audits claims about clients only.")
    yield from bullets(
        [
            *(f"Not checked: {what}" for what in left),
            *(f"No check shows {what}" for what in claim.report.not_covered),
        ]
    )


def _accountant(statement: Mapping[str, Any]) -> str:
    name = str(statement["accountant"]["name"])
    return "closed form" if name == "closed-form" else name.upper()


def _rounds(count: int) -> str:
    return "1 round" if count == 1 else f"{count:,} rounds"


def _number(value: float | None) -> str:
    return "infinite" if value is None else f"{value:.4g}"
