"""What differs between the runs: the keys of their configs that have several values."""

from __future__ import annotations

from fedcli.runs.report.content import Cell, PageSection, SortableTable, Text
from fedcli.runs.report.subject import Subject


def contrasts(subject: Subject) -> PageSection:
    """A line for each key, with a column for each group, whose runs agree but for seed and name."""
    if subject.is_single:
        return PageSection("What differs")
    rows = []
    for key in subject.differences:
        cells = []
        for group in subject.groups:
            values = dict.fromkeys(run.settings.get(key, "–") for run in group.runs)
            cells.append(Cell(", ".join(values)))
        rows.append([Cell(key), *cells])
    if not rows:
        return PageSection("What differs", [Text("The configs are the same, the seed included.")])
    table = SortableTable(
        "Keys with several values",
        ["key", *(group.label for group in subject.groups)],
        rows,
        "All other keys are the same in all runs; they are in the config below.",
    )
    return PageSection("What differs between the runs", [table], "Differences")
