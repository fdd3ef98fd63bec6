"""Checks what the checkpoints say of rounds that were added to a run after it began."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fedcli.core.errors import FedcliError
from fedcli.runs.extension import MOST_ROUNDS, planned_in_config, reason_against
from fedcli.runs.verification.chain_links import Pair
from fedcli.runs.verification.planned_run import Recipe
from fedcli.runs.verification.report import Finding
from fedcli.store import directory

WHAT = "extensions"


def checked_extensions(run: Path, recipe: Recipe, pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Check that planned rounds only grow, and only where a run can be extended; say what was added.

    Args:
        run: the run directory.
        recipe: the run as it was planned.
        pairs: the checkpoints.
    """
    try:
        first = planned_in_config(run)
    except FedcliError:
        return  # reported where the plan is made
    planned = first
    for _, link in pairs:
        if link.manifest is None:
            continue
        said = link.manifest.facts.get("planned")
        if said is None and planned == first:
            continue
        if type(said) is not int or said < planned or not first < said <= MOST_ROUNDS:
            sentence = f"{link.file} plans {str(said)[:40]} rounds, after {planned} were planned."
            yield Finding(WHAT, link.round, link.file, holds=False, sentence=sentence)
            return
        reason = reason_against(recipe.experiment, is_private=recipe.is_private)
        if reason is not None:
            sentence = f"{link.file} says that the run was extended to {said} rounds, and {reason}"
            yield Finding(WHAT, link.round, link.file, holds=False, sentence=sentence)
            return
        if said > planned:
            sentence = (
                f"the run was extended from {planned} to {said} rounds before the checkpoint of round {link.round}; "
                f"{directory.CONFIG} is as it was."
            )
            yield Finding(WHAT, link.round, link.file, sentence=sentence)
        planned = said
