"""A run's rounds from their evidence: files, chain, statements, proofs, sums, and the models between checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fedcli.core import round_evidence
from fedcli.core.errors import ConfigError, FedcliError
from fedcli.verification import evidence
from fedcli.verification.links import Link, Pair
from fedcli.verification.proofs import checked_proofs
from fedcli.verification.recipe import Recipe, read_recipe
from fedcli.verification.replay import checked_step
from fedcli.verification.report import Finding
from fedcli.verification.statements import WHAT, Round, checked_statement, read_round

Watch = Callable[[str], None]
"""Told what is being checked, a few words at a time."""

PLAN = "plan of the run"


class Wanted(NamedTuple):
    """What of a run's rounds is to be checked.

    Args:
        pairs: the checkpoints, each with the one before it.
        intact: those whose files are as they were written.
        rounds: whose evidence is read.
        proved: those among them whose proofs are verified.
        independently: verify proofs a second time, by another library.
    """

    pairs: Sequence[Pair]
    intact: Sequence[Link]
    rounds: Sequence[int]
    proved: Sequence[int]
    independently: bool


def checked_rounds(run: Path, wanted: Wanted, recipe: Recipe | Finding, watch: Watch) -> Iterator[Finding]:
    """Everything that the evidence of the wanted rounds tells; proofs are verified where files are as written."""
    links = evidence.read_rounds(run, wanted.rounds)
    yield from evidence.checked_places(run)
    sound = []
    for pair in links:
        found = evidence.checked_round(run, pair)
        yield from found
        sound += [pair.link] if all(finding.holds for finding in found) else []
    yield from evidence.checked_links(links)
    yield from evidence.checked_bindings(run, wanted.pairs)
    if isinstance(recipe, Finding):
        yield recipe
        return
    yield from _notes(recipe)
    if not recipe.has_proofs:
        return
    rounds: dict[int, Round] = {}
    last = wanted.pairs[-1].link.round if wanted.pairs else 0
    for link in sound:
        if link.round <= last:
            yield from _read(run, link, rounds)
    for number in sorted(rounds.keys() & set(wanted.proved)):
        watch(f"the proofs of round {number} of {last}")
        yield from checked_statement(run, rounds[number], recipe)
        yield from checked_proofs(run, rounds[number], independently=wanted.independently)
    watch("the models")
    for pair in wanted.pairs:
        if pair.link in wanted.intact and (pair.before is None or pair.before in wanted.intact):
            yield from checked_step(run, pair, rounds, recipe)


def planned(run: Path) -> Recipe | Finding:
    """The run as its config plans it, or the finding that it cannot be read."""
    try:
        return read_recipe(run)
    except FedcliError as error:
        said = error.message if type(error) is ConfigError else str(error)
        sentence = f"config.yaml cannot be used by this version of fedcli, and no round was replayed: {said}"
        return Finding(PLAN, None, "config.yaml", holds=False, sentence=sentence)


def _notes(recipe: Recipe) -> Iterator[Finding]:
    if recipe.clients_dealt not in (None, recipe.num_clients):
        sentence = (
            f"environment.json says that there are {recipe.num_clients} clients; config.yaml deals data out to "
            f"{recipe.clients_dealt}."
        )
        yield Finding(PLAN, None, "environment.json", holds=False, sentence=sentence)
    for name in recipe.foreign:
        sentence = f"config.yaml names a part of the user's own as {name}, which is never imported: {_LEFT_OUT[name]}."
        yield Finding(PLAN, None, "config.yaml", sentence=sentence)


_LEFT_OUT = {
    "strategy": "the step from each sum to the next model was left out",
    "cohort": "the divisor and the share of a private round are taken as the round says them",
    "proofs": "only the files of evidence were checked",
}


def _read(run: Path, link: Link, rounds: dict[int, Round]) -> Iterator[Finding]:
    """Add a round to `rounds`, or say why it cannot be read."""
    try:
        rounds[link.round] = read_round(link)
    except ValueError as error:
        file = (link.folder / round_evidence.PARAMETERS).relative_to(run).as_posix()
        yield Finding(WHAT, link.round, file, holds=False, sentence=f"{file} {error}.")
