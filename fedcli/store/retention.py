"""Checkpoints that keep their arrays: a pure function of the rounds and their records. `run_store` does the pruning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Metric(NamedTuple):
    """A figure of a round's record, and whether a larger value of it is better."""

    name: str
    higher_is_better: bool


class Retention(NamedTuple):
    """A policy. A checkpoint keeps its arrays if any of its rules keeps them; the last one always does.

    A checkpoint that was pruned once stays pruned: no rule keeps it again when more rounds follow.

    Args:
        keep_last: checkpoints at the end that are kept, at least 1; None for no such rule.
        keep_best: best checkpoints that are kept, at least 1; None for no such rule.
        metrics: what is best: the first of these figures that the records have.
    """

    keep_last: int | None = None
    keep_best: int | None = None
    metrics: tuple[Metric, ...] = ()

    @property
    def prunes(self) -> bool:
        """Whether there is a rule; without one, all checkpoints keep their arrays."""
        return self.keep_last is not None or self.keep_best is not None

    def __str__(self) -> str:
        rules = {"keep_last": self.keep_last, "keep_best": self.keep_best}
        said = ", ".join(f"{name}: {count}" for name, count in rules.items() if count is not None)
        return f"checkpoint: {{{said}}}"


def to_prune(retention: Retention, rounds: Sequence[int], records: Sequence[Mapping[str, Any]]) -> list[int]:
    """The rounds whose checkpoints lose their arrays.

    Args:
        retention: the policy.
        rounds: all rounds with a checkpoint, ascending; those that were pruned before may be left out.
        records: the records of the rounds, as in metrics.jsonl.
    """
    if not rounds or not retention.prunes:
        return []
    # Not rounds[-last:], which is all rounds where `last` is 0.
    kept = {rounds[-1], *rounds[max(len(rounds) - (retention.keep_last or 0), 0) :]}
    if retention.keep_best is not None:
        kept |= set(_ranked(retention.metrics, rounds, records)[: retention.keep_best])
    return [round for round in rounds if round not in kept]


def _ranked(
    metrics: Sequence[Metric], rounds: Sequence[int], records: Sequence[Mapping[str, Any]]
) -> list[int]:
    """The rounds that were measured, best first; of two equal ones, the earlier."""
    watched = next((metric for metric in metrics if any(metric.name in record for record in records)), None)
    if watched is None:
        return []
    measured = {
        record.get("round"): value
        for record in records
        # A model that diverged has NaN, which compares as neither better nor worse: the order would be arbitrary.
        if isinstance(value := record.get(watched.name), float | int) and math.isfinite(value)
    }
    sign = -1 if watched.higher_is_better else 1
    return sorted((round for round in rounds if round in measured), key=lambda r: (sign * measured[r], r))
