"""The figures of the runs with their spread, and the paired differences between groups."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fedcli.engine.run_columns import best_is
from fedcli.runs.comparison import SeedGroup, paired
from fedcli.runs.headline import headline, is_finite
from fedcli.runs.report.charts import dots
from fedcli.runs.report.content import Block, Cell, Figure, Folded, PageSection, Point, SortableTable, View
from fedcli.runs.report.quantities import cell, duration, number, size, spread
from fedcli.runs.report.subject import Subject
from fedcli.runs.report.verdict import interval

_TOTALS = (
    ("epsilon", "epsilon", number),
    ("simulated seconds", "simulated time", duration),
    ("bytes up", "sent", size),
    ("seconds", "time", duration),
)


def scores(subject: Subject) -> PageSection:
    """Of one run a line for each metric; of several a line for each group, and one for each run."""
    made = _of_one_run if subject.is_single else _of_groups
    return PageSection("What it reached", list(made(subject)), "Results")


def _of_one_run(subject: Subject) -> Iterator[Block]:
    split, rows = subject.split, []
    has_interval = False
    for name in dict.fromkeys(name for row in subject.records for name in row):
        part, _, _ = name.rpartition("/")
        if part not in (
            "test",
            "validation",
            "train",
            "average/test",
            "personal/validation",
            "validation/global",
        ):
            continue
        figures = headline(
            [{key: row[key] for key in ("round", name) if key in row} for row in subject.records], [name]
        )
        if figures is None or figures.column != name:
            continue
        around = Cell("")
        if name == "test/accuracy" and not isinstance(split, str) and 0 <= figures.last <= 1:
            low, high = interval(figures.last, split.num_test)
            around, has_interval = Cell(f"{low:.4f} to {high:.4f}"), True
        deciles = [subject.records[-1].get(f"{name}/{decile}") for decile in ("p10", "p90")]
        if all(map(is_finite, deciles)):
            around = Cell(f"{number(deciles[0])} to {number(deciles[1])} (clients)")
        rows.append(
            [
                Cell(name),
                cell(figures.last),
                around,
                cell(figures.best),
                cell(figures.best_round),
                Cell("lower" if best_is(name) == "min" else "higher"),
            ]
        )
    caption = "“Around it” has, where it is marked so, the tenth and the ninetieth of a hundred clients"
    if has_interval and not isinstance(split, str):
        caption += f", and for test/accuracy the 95 % interval (Wilson) over {split.num_test:,} test examples"
    yield SortableTable(
        "Figures of the run",
        ["figure", "last", "around it", "best", "in round", "better"],
        rows,
        f"{caption}. Of one run nothing says how far another seed would be.",
    )


def _of_groups(subject: Subject) -> Iterator[Block]:
    yield _dots(subject)
    totals = [each for each in _TOTALS if any(group.values(each[0]) for group in subject.groups)]
    costs = [title for _, title, _ in totals]
    yield SortableTable(
        "Figures of the groups",
        ["runs of", "runs", f"last {subject.column}", "best", *costs],
        [
            [
                Cell(group.label),
                cell(len(group.runs)),
                spread(group.values("last")),
                spread(group.values("best")),
                *(spread(group.values(name), words) for name, _, words in totals),
            ]
            for group in subject.groups
        ],
        "± is the standard deviation over the runs of a row, which differ in the seed only. The best is that of each "
        f"run's best round, chosen by {subject.column} itself, so that it is too good.",
    )
    first = subject.groups[0]
    if len(subject.groups) > 1:
        yield SortableTable(
            f"Differences to {first.label}, paired by seed",
            ["runs of", "mean difference", "95 % interval", "p", "pairs won"],
            [[Cell(group.label), *_difference(first, group)] for group in subject.groups[1:]],
            f"Of the last {subject.column}; ± is the standard deviation over the pairs. The interval is of the mean "
            "(bootstrap, BCa; with few pairs it is too narrow), p of a two-sided paired t-test. Neither is corrected "
            "for the number of comparisons.",
        )
    every = SortableTable(
        "Every run",
        ["run", "runs of", "seed", f"last {subject.column}", "best", "in round", *costs],
        [
            [
                Cell(run.run.folder.name),
                Cell(group.label),
                Cell(run.seed, float(run.seed) if run.seed.isdecimal() else None),
                cell(run.figures.last),
                cell(run.figures.best),
                cell(run.figures.best_round),
                *(cell(run.totals.get(name), words) for name, _, words in totals),
            ]
            for group in subject.groups
            for run in group.runs
        ],
    )
    yield Folded(f"All {len(subject.runs)} runs", [every])


def _difference(first: SeedGroup, group: SeedGroup) -> list[Cell]:
    found = paired(first, group)
    if found is None:
        return [Cell("")] * 4
    shown = f"{found.mean:+.4f}" + ("" if found.deviation is None else f" ± {found.deviation:.4f}")
    around = (
        Cell("")
        if found.low is None or found.high is None
        else Cell(f"{found.low:+.4f} to {found.high:+.4f}")
    )
    p = Cell("") if found.p is None else Cell(f"{found.p:.2g}", found.p)
    won = Cell(f"{found.num_better} of {found.num_pairs}", found.num_better / found.num_pairs)
    return [Cell(shown, found.mean), around, p, won]


def _dots(subject: Subject) -> Figure:
    points: list[Point] = []
    for group in subject.groups:
        values = group.values("last")
        points += [{"series": group.label, "seed": run.seed, "value": run.figures.last} for run in group.runs]
        mean = float(np.mean(values))
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        points.append(
            {"series": group.label, "mean": mean, "low": mean - deviation, "high": mean + deviation}
        )
    labels = [group.label for group in subject.groups]
    spec = dots(f"last {subject.column}", len(labels), labels)
    caption = "A dot is a run, the upright line the mean, the bar plus and minus one standard deviation over the runs."
    return Figure("Where the runs ended", [View("runs", spec, points)], caption)
