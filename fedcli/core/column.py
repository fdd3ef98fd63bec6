"""The declaration of a column of metrics.jsonl or clients.jsonl.

Early stopping, retention, noised-only runs, the live view, the summary and docs/metrics.md are made from declarations,
so that a new column is named in one place.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Better: TypeAlias = Literal["up", "down", "neither"]
File: TypeAlias = Literal["metrics.jsonl", "clients.jsonl"]


class Live(NamedTuple):
    """How a column is shown in the line of a finished round.

    Args:
        text: a format of `name`, `value`, `readable` (the value as a person reads it) and `record`, the whole round.
        place: where it is shown: as a phrase of its own; after a comma in the phrase before it; or, unless it is 0, in
            brackets after that phrase.
        row: whether the view on a terminal has a row for it.
    """

    text: str
    place: Literal["phrase", "comma", "brackets"] = "phrase"
    row: bool = False


class Column(NamedTuple):
    """A column, declared by the module that computes it, or by the engine.

    Args:
        name: its name. `<metric>` stands for the loss and each mean over examples of the task, `<score>` for its
            metrics of the whole test set, `<decile>` for p10, p50 and p90.
        about: what it is, in one line.
        owner: the file of fedcli that computes it.
        file: where it is written.
        unit: of its values; "text" for words, which no rule can watch.
        source: what it is calculated from. "config": the config and the number of rounds. "model": the released model
            and the central test set, which may hold rows of clients. "cohort": the planned cohort, a constant where
            all cohorts have one size. "data": the clients' data or their participation, without noise.
        better: whether a larger value is better, a smaller one, or neither; "metric": as for the metric in its name.
        live: how it is shown in the live view; None if it is not.
        in_summary: whether the summary at the end of a run shows it.
    """

    name: str
    about: str
    owner: str
    file: File = "metrics.jsonl"
    unit: str = ""
    source: Literal["config", "model", "cohort", "data"] = "data"
    better: Better | Literal["metric"] = "neither"
    live: Live | None = None
    in_summary: bool = False

    @property
    def is_number(self) -> bool:
        """Whether a rule such as early stopping can compare its values."""
        return self.unit != "text"

    def may_leave(self, *, has_fixed_cohorts: bool, has_public_test: bool) -> bool:
        """Whether a run with `privacy.publish: noised-only` writes it.

        Args:
            has_fixed_cohorts: whether all cohorts of the run have one size, whoever takes part.
            has_public_test: whether the test set holds no rows of clients.
        """
        allowed = {"config": True, "model": has_public_test, "cohort": has_fixed_cohorts, "data": False}
        return allowed[self.source]
