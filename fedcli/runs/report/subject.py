"""What the report is about: the runs, in groups that differ in the seed only, each log read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fedcli.config import Experiment
from fedcli.core.errors import RunError
from fedcli.engine.records import Row
from fedcli.engine.run_columns import DECLARED, expanded
from fedcli.runs.comparison import Compared, SeedGroup, compared, differing, grouped
from fedcli.runs.extension import extended
from fedcli.runs.report.known_split import KnownSplit, known_split
from fedcli.store import directory
from fedcli.store.files import guarded

_LARGEST_LOG = 1 << 28
"""Bytes of clients.jsonl that a report reads: a million turns of clients, whose rows are held in memory."""

UNCOVERED_SECTION = (
    "Figures of single clients have no noise, so that epsilon does not cover them: leave this section out of what you "
    "publish."
)


@dataclass(frozen=True)
class Subject:
    """The runs of a report.

    Args:
        groups: at least one, in the order in which they were named.
        differences: the keys in which the configs differ, with the value of each run.
    """

    groups: Sequence[SeedGroup]
    differences: Mapping[str, Sequence[str]]

    @cached_property
    def runs(self) -> list[Compared]:
        """All runs, group after group."""
        return [run for group in self.groups for run in group.runs]

    @property
    def first(self) -> Compared:
        """The run that stands for the report where only one can be shown."""
        return self.groups[0].runs[0]

    @property
    def is_single(self) -> bool:
        """Whether it is about one run."""
        return len(self.runs) == 1

    @property
    def of_first(self) -> str:
        """What a caption says of a figure of the first run; empty where it is the only one."""
        return "" if self.is_single else f"Of {self.first.run.folder.name}."

    @property
    def is_private(self) -> bool:
        """Whether a run states an epsilon."""
        return any("epsilon" in run.totals for run in self.runs)

    @property
    def column(self) -> str:
        """The column of metrics.jsonl by which the runs are judged, the same for all."""
        return self.first.figures.column

    @property
    def metric(self) -> str:
        """The column without the part that it was measured on, such as `accuracy`."""
        return self.column.rpartition("/")[2]

    @property
    def experiment(self) -> Experiment:
        """The config of the first run."""
        return self.experiment_of(self.first)

    @property
    def records(self) -> list[Row]:
        """The rounds of the first run."""
        return self.first.records

    def experiment_of(self, run: Compared) -> Experiment:
        """The config of a run, with the rounds that it plans now."""
        return self._extended[run.run.folder]

    @cached_property
    def _extended(self) -> dict[Path, Experiment]:
        return {run.run.folder: extended(run.experiment, run.run.folder) for run in self.runs}

    @cached_property
    def environment(self) -> Row:
        """environment.json of the first run."""
        return self.first.run.environment

    @cached_property
    def clients(self) -> list[Row]:
        """The rows of clients.jsonl of the first run that name a round and a client.

        Raises:
            RunError: if there is too much of it.
        """
        folder = self.first.run.folder
        path = folder / directory.CLIENTS
        if not guarded.exists(path, below=folder):
            return []
        if (found := path.lstat().st_size) > _LARGEST_LOG:
            raise RunError(f"{path} has {found:,} bytes; a report reads at most {_LARGEST_LOG:,}.")
        rows = directory.read_records(folder, directory.CLIENTS)
        return [row for row in rows if type(row.get("round")) is int and type(row.get("client")) is int]

    @cached_property
    def split(self) -> KnownSplit | str:
        """The examples of every client by class; or why they are not known."""
        return known_split(self.experiment)

    def has(self, column: str) -> bool:
        """Whether all runs have a column in some round."""
        return all(any(column in row for row in run.records) for run in self.runs)


def subject_of(folders: Sequence[Path], metric: str | None = None) -> Subject:
    """The runs of a report.

    Args:
        folders: their run directories.
        metric: the column by which they are judged; by default the headline of the first run.

    Raises:
        ConfigError: if a folder is not a run directory, or a run has no finite value of the column.
    """
    runs = compared(folders, metric)
    return Subject(grouped(runs), differing(runs))


def about(column: str, mechanisms: Sequence[Any] = ()) -> str:
    """What a column of metrics.jsonl is, as it is declared; empty for one that no part of fedcli declares."""
    words = column.split("/")
    for declared in (*DECLARED, *mechanisms):
        if declared.file == "metrics.jsonl":
            for each in expanded(declared, words):
                if each.name == column:
                    return str(each.about)
    return ""
