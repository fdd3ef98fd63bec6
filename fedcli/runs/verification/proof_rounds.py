"""Checks the rounds of a run with proofs: their parameters, proofs and sums, and the models that follow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from fedcli.runs.verification.chain_links import Link, Pair
from fedcli.runs.verification.client_rows import WHAT as ROWS
from fedcli.runs.verification.client_rows import checked_rows, rows_by_round
from fedcli.runs.verification.drawn_cohorts import checked_cohorts
from fedcli.runs.verification.evidence import read_round_link
from fedcli.runs.verification.planned_run import Recipe
from fedcli.runs.verification.proofs import checked_proofs
from fedcli.runs.verification.protocols import checked_protocol, read_agreed
from fedcli.runs.verification.recomputed_models import checked_step
from fedcli.runs.verification.report import NEXT, PROOFS, SAYS, Finding, skipped
from fedcli.runs.verification.round_statement import Round, checked_statement, read_round
from fedcli.runs.verification.signers import checked_clients, read_keys
from fedcli.store import checkpoints, directory, proof_files

_MOST_NAMED = 100
Watch = Callable[[str], None]
"""Receives what is being checked, in a few words."""


class Wanted(NamedTuple):
    """What to check in the rounds of a run.

    Args:
        pairs: the checkpoints, each with the one before it.
        intact: the checkpoints whose files are as they were written.
        damaged: rounds whose files are not as they were written, and which are not checked further.
        has_logs: whether the logs are as they were written.
        only: the one round whose proofs are verified; None for all.
        independently: verify proofs a second time, with another library.
    """

    pairs: Sequence[Pair]
    intact: Collection[Link]
    damaged: Collection[int | None]
    has_logs: bool
    only: int | None
    independently: bool


def checked_rounds(run: Path, wanted: Wanted, recipe: Recipe, watch: Watch) -> Iterator[Finding]:
    """Check rounds with proofs, as far as their files are as they were written."""
    if not recipe.has_proofs:
        return
    agreed = read_agreed(run)
    if isinstance(agreed, Finding):
        yield agreed
        yield skipped(NEXT, agreed.file, "the proofs and the models", "what clients agreed to is not known")
        return
    # Keys that are damaged are reported with the server's signatures.
    keys = read_keys(run)
    rounds: dict[int, Round] = {}
    # All of them are read, also where one is asked for: a replay goes from checkpoint to checkpoint.
    numbers = _numbers(wanted.pairs)
    there = [number for number in proof_files.rounds(run / proof_files.FOLDER) if number in numbers]
    yield from _absent(run, numbers, there, wanted.damaged)
    for number in there:
        link = read_round_link(run, number)
        if number not in wanted.damaged:
            yield from read_round(run, link, rounds)
        if number not in rounds:
            why = "its files are not those of a round that the run wrote"
            yield skipped(PROOFS, link.file, f"the proofs of round {number}", why, round=number)
    for number, round in rounds.items():
        if wanted.only in (None, number):
            watch(f"the proofs of round {number} of {numbers[-1]}")
            yield from checked_statement(run, round, recipe)
            yield from checked_protocol(run, round, agreed, num_clients=recipe.num_clients)
            yield from checked_proofs(run, round, independently=wanted.independently)
            if not isinstance(keys, Finding):
                yield from checked_clients(run, round, keys)
    asked = {number: round for number, round in rounds.items() if wanted.only in (None, number)}
    if wanted.has_logs:
        clients, records = (rows_by_round(run, log) for log in (directory.CLIENTS, directory.METRICS))
        yield from checked_rows(asked, clients, records)
    else:
        clients, why = None, "they are not as they were written"
        yield skipped(ROWS, directory.CLIENTS, "that the logs agree with the sums", why)
    yield from checked_cohorts(run, asked, recipe, clients)
    watch("that the models follow")
    yield from _replayed(run, wanted, rounds, recipe)


def _absent(
    run: Path, numbers: range, there: Sequence[int], damaged: Collection[int | None]
) -> Iterator[Finding]:
    """Rounds without files. A long gap is one finding: nobody counts up to the number of a forged folder."""
    for before, after in pairwise([numbers.start - 1, *there, numbers.stop]):
        first, last = before + 1, after - 1
        if last - first < _MOST_NAMED:
            for number in range(first, after):
                if number not in damaged:
                    link = read_round_link(run, number)
                    yield Finding(SAYS, number, link.file, holds=False, sentence=f"{link.file} {link.fault}.")
        else:
            sentence = f"{proof_files.FOLDER} has no files of rounds {first} to {last:,}."
            yield Finding(SAYS, first, proof_files.FOLDER, holds=False, sentence=sentence)


def _replayed(run: Path, wanted: Wanted, rounds: Mapping[int, Round], recipe: Recipe) -> Iterator[Finding]:
    """Replay every model from the last one before it that was not pruned."""
    if recipe.server is None:
        return  # `checked_plan` says why
    start, pruned = None, []
    for before, link in wanted.pairs:
        if before is None or not before.is_pruned:
            start = before
        if link.is_pruned:
            pruned.append(link.round)
        elif start is None and before is not None:
            file = (link.folder / checkpoints.WEIGHTS).relative_to(run).as_posix()
            yield _skipped(file, link, "every checkpoint before it that could be a start is pruned")
        elif link in wanted.intact and (start is None or start in wanted.intact):
            yield from checked_step(run, Pair(start, link), rounds, recipe)
        else:
            file = (link.folder / checkpoints.WEIGHTS).relative_to(run).as_posix()
            yield _skipped(
                file, link, "its files, or those of the one before it, are not as they were written"
            )
    if pruned:
        which = (
            f"round {pruned[0]}"
            if len(pruned) == 1
            else f"{len(pruned)} rounds from {pruned[0]} to {pruned[-1]}"
        )
        sentence = (
            f"{directory.CHECKPOINTS} has no models of {which}, which were pruned and could not be compared "
            "with a replay."
        )
        yield Finding(NEXT, None, directory.CHECKPOINTS, sentence=sentence)


def _skipped(file: str, link: Link, why: str) -> Finding:
    return skipped(NEXT, file, f"the model of round {link.round}", why, round=link.round)


def _numbers(pairs: Sequence[Pair]) -> range:
    """The rounds up to the checkpoints."""
    if not pairs:
        return range(0)
    before = pairs[0].before
    return range(before.round + 1 if before else 1, pairs[-1].link.round + 1)
