"""Checks how far a run came: that a round moved its model, and that it has the rounds that its config plans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fedcli.runs.verification.planned_run import WHAT, Recipe
from fedcli.runs.verification.report import NEXT, Finding, moved_rounds, skipped
from fedcli.store import directory


def checked_progress(recipe: Recipe, last: int, findings: Sequence[Finding]) -> Iterator[Finding]:
    """Say that a run ended before its last round, and that nothing follows from sums where no round has one.

    Args:
        recipe: the run as it was planned.
        last: the round of the last checkpoint.
        findings: what was found of all rounds.
    """
    place = directory.CHECKPOINTS
    if last < recipe.rounds:
        # An honest run may stop early. Only the published head tells that from a run whose end was cut off.
        sentence = (
            f"{place} ends with round {last} of {recipe.rounds} planned: the run stopped early, or its end was cut "
            "off."
        )
        yield Finding(WHAT, None, place, sentence=sentence)
    is_open = all(each.holds and not (each.what == NEXT and each.unchecked) for each in findings)
    if recipe.server is not None and is_open and not moved_rounds(findings):
        # A model that nothing moved was chosen by whoever wrote round 0, and no proof is about it.
        unchecked = f"any step of the model (0 of {max(last, recipe.rounds)} rounds moved it)"
        yield skipped(NEXT, place, unchecked, "no round has a sum that a model could follow from")
