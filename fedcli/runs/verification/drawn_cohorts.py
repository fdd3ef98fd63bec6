"""Checks who takes part in a round: cohorts that follow from the seed are drawn again, and others have their size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fedcli.components.cohorts import whose_turn
from fedcli.components.proofs import evidence
from fedcli.core.contracts import Cohort
from fedcli.core.sampling_scheme import Sampling
from fedcli.core.seeds import SERVER, generator
from fedcli.runs.verification.client_rows import Rows
from fedcli.runs.verification.planned_run import Recipe
from fedcli.runs.verification.report import Finding, skipped
from fedcli.runs.verification.round_statement import Round
from fedcli.store import directory

WHAT = "cohorts of rounds"


def checked_cohorts(run: Path, rounds: Mapping[int, Round], recipe: Recipe, rows: Rows) -> Iterator[Finding]:
    """Check the clients of every round against the cohort that the config plans.

    A private run draws its cohorts from secret randomness, so that only their sizes can be checked.

    Args:
        run: the run directory.
        rounds: the rounds whose evidence is as it was written.
        recipe: the run as it was planned.
        rows: the rows of clients.jsonl by round; None for a log that cannot be used.
    """
    cohort, strategy = recipe.cohort, recipe.strategy
    if cohort is None or strategy is None:
        custom = ", ".join(recipe.names_custom("cohort") or recipe.custom_server)
        why = f"{directory.CONFIG} names a custom component, which is not imported ({custom})"
        yield skipped(WHAT, directory.CONFIG, "who takes part in a round", why)
        return
    is_secret = strategy.privacy is not None and not recipe.experiment.privacy.reproducible_noise
    sampling, root = cohort.sampling(recipe.num_clients), recipe.experiment.seed
    if cohort.observes:
        why = f"{cohort.name} chooses them by what clients reported"
        yield skipped(WHAT, directory.CONFIG, "which clients a round chooses", why)
    for number, round in rounds.items():
        # Of each list of clients, whether it is the whole cohort, or only those in the sum.
        found: dict[str, tuple[list[int], bool]] = {}
        if round.said is not None:
            invited = None if round.said.terms is None else list(round.said.terms.cohort)
            in_sum = [each.client for each in round.said.clients]
            found[round.file(run, evidence.PARAMETERS)] = (
                (in_sum if invited is None else invited),
                invited is not None,
            )
        logged = None if rows is None else [row["client"] for row in rows.get(number, [])]
        # A private run that was stopped in this round and resumed has no rows of it.
        if logged is not None and not (is_secret and round.said is None and not logged):
            found[directory.CLIENTS] = logged, True
        present: Sequence[int] = range(recipe.num_clients)
        # Without groups it is everybody's turn, and a million numbers are not written down for every round.
        if cohort.separation > 1:
            present = whose_turn(cohort, number, num_clients=recipe.num_clients, root=root).tolist()
        for file, (clients, is_whole) in found.items():
            if is_secret or cohort.observes:
                objection = _size(sampling, len(clients), is_whole=is_whole)
                objection = objection or _difference(clients, present, "whose turn it is", is_whole=False)
            else:
                drawn = _drawn(cohort, number, present, root)
                objection = _difference(clients, drawn, "that the seed draws", is_whole=is_whole)
            sentence = f"{file} {objection}." if objection else ""
            yield Finding(WHAT, number, file, objection is None, sentence)
    if is_secret and not sampling.has_fixed_size:
        yield from _likelihood(rounds, recipe, cohort, rows)


def _drawn(cohort: Cohort, round: int, present: Sequence[int], seed: int) -> list[int]:
    """The cohort of a round, drawn as `engine.selection` draws it."""
    rng = generator(seed, round, SERVER, "cohort")
    # Cohorts that do not observe keep no state.
    return [present[place] for place in cohort.sample(rng, len(present), {}).tolist()]


def _difference(found: list[int], expected: Sequence[int], which: str, *, is_whole: bool) -> str | None:
    """Why these are not the expected clients, or not a part of them; None if they are."""
    known = expected if isinstance(expected, range) else set(expected)
    others = sorted(each for each in set(found) if each not in known)
    if others:
        return f"names client {others[0]}, which is not one of those {which}"
    lost = sorted(set(expected) - set(found)) if is_whole else []
    return f"lacks client {lost[0]}, which is one of those {which}" if lost else None


def _size(sampling: Sampling, count: int, *, is_whole: bool) -> str | None:
    """Why a cohort, or the part of one that is in a sum, cannot have this size; None if it can."""
    if is_whole and sampling.has_fixed_size and count != sampling.size:
        return f"has a cohort of {count} clients; by the config it has {sampling.size}"
    if count > sampling.largest:
        what = "cohort" if is_whole else "sum"
        return f"has a {what} of {count} clients; by the config a cohort has at most {sampling.largest}"
    return None


def _likelihood(rounds: Mapping[int, Round], recipe: Recipe, cohort: Cohort, rows: Rows) -> Iterator[Finding]:
    """Note how likely sizes are that coins decide: the seed does not show them, and no size is impossible."""
    if rows is None:
        why = "the log cannot be used"
        yield skipped(WHAT, directory.CLIENTS, "how likely the sizes of cohorts are", why)
        return
    rate, root = cohort.sampling(recipe.num_clients).rate, recipe.experiment.seed
    drawn = {
        number: len(rows.get(number, []))
        for number, round in rounds.items()
        if round.said is not None or number in rows
    }
    if not drawn:
        return
    # Loaded here: its import takes longer than most verifications.
    from scipy.stats import binomtest

    chances, heads, tosses = [], 0, 0
    for number, count in drawn.items():
        of = whose_turn(cohort, number, num_clients=recipe.num_clients, root=root).size
        chances.append((float(binomtest(min(count, of), of, rate).pvalue), number, count))
        heads, tosses = heads + min(count, of), tosses + of
    least, where, count = min(chances)
    total = float(binomtest(heads, tosses, rate).pvalue)
    sentence = (
        f"{directory.CLIENTS} has {heads} clients in {len(drawn)} cohorts; {tosses * rate:.4g} are expected "
        f"(two-sided probability {total:.2g}). The least likely size is that of round {where}: {count} clients "
        f"({least:.2g})."
    )
    # A cap cuts large cohorts, and makes small totals a little more likely than this says.
    yield Finding(WHAT, None, directory.CLIENTS, sentence=sentence)
