"""`fedcli compare`: what differs between runs, and which is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from fedcli.cli.output import Json, escaped, print_json, print_message, print_rows, readable, reported
from fedcli.cli.printed_table import Cell, Csv, Latex, Markdown, form_of, print_table
from fedcli.cli.run_argument import Metric, RunPaths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedcli.runs.comparison import Paired, SeedGroup

_NARROWEST = 12
"""Characters that a column of the keys needs at least."""
_SPARE = ("seconds", "bytes up", "simulated seconds", "p", "best", "epsilon")


def compare(
    runs: RunPaths,
    metric: Metric = None,
    json: Json = False,
    csv: Csv = False,
    md: Markdown = False,
    latex: Latex = False,
) -> None:
    """Compare runs: the keys in which their configs differ, their figures, and the paired differences to the first.

    Runs that differ in the seed only, or not at all, are one row: mean and standard deviation over these runs. Pairs
    have the same seed. The interval is of their mean difference (bootstrap, BCa; of few pairs it is too narrow), p of a
    paired t-test; neither is corrected for the number of comparisons.
    """
    with reported():
        from fedcli.runs.comparison import cautions, compared, differing, grouped, paired

        form = form_of(md=md, csv=csv, latex=latex)
        found = compared(runs, metric)
        groups, column = grouped(found), found[0].figures.column
        differences = [None, *(paired(groups[0], group) for group in groups[1:])]
        warnings = cautions(found)
        if json:
            settings = differing(found)
            print_json(
                {
                    "metric": column,
                    "runs": [str(run.run.folder) for run in found],
                    "differing": settings,
                    "groups": [_facts(*each) for each in zip(groups, differences, strict=True)],
                    "warnings": warnings,
                }
            )
            return
        for sentence in warnings:
            print_message(f"Warning: {sentence}")
        if form == "terminal":
            keys = differing(found)
            _print_keys([run.run.folder.name for run in found], keys)
            typer.echo(f"{chr(10) if keys else ''}{escaped(column)}, +- over runs:")
        made = _numbers if form == "csv" else _row
        print_table([made(*each) for each in zip(groups, differences, strict=True)], form, spare=_SPARE)


def _print_keys(names: Sequence[str], keys: Mapping[str, Sequence[str]]) -> None:
    """The keys that differ: a column for each run, or where so many do not fit, a line for each key."""
    from rich.console import Console

    console = Console()
    room = console.width - max((len(key) for key in keys), default=0)
    if console.is_terminal and room < _NARROWEST * len(names):
        print_rows([(key, " | ".join(value or "-" for value in values)) for key, values in keys.items()])
        return
    print_table([{"": key, **dict(zip(names, values, strict=True))} for key, values in keys.items()])


def _row(group: SeedGroup, difference: Paired | None) -> dict[str, Cell]:
    row: dict[str, Cell] = {"": group.label, "runs": len(group.runs), **figures_of(group)}
    row["minus the first"] = row["95 % interval"] = row["p"] = row["better"] = ""
    if difference is not None:
        shown = f"{difference.mean:+.4f}"
        row["minus the first"] = (
            shown if difference.deviation is None else f"{shown} +- {difference.deviation:.4f}"
        )
        if difference.low is not None and difference.high is not None and difference.p is not None:
            row["95 % interval"] = f"{difference.low:+.4f} to {difference.high:+.4f}"
            row["p"] = f"{difference.p:.2g}"
        row["better"] = f"{difference.num_better} of {difference.num_pairs}"
    return row


def _numbers(group: SeedGroup, difference: Paired | None) -> dict[str, Cell]:
    """The same for a program: every number in a column of its own."""
    import numpy as np

    from fedcli.runs.comparison import FIGURES, OF_PAIRS

    row: dict[str, Cell] = {"": group.label, "runs": len(group.runs)}
    for name in FIGURES:
        values = group.values(name)
        row[name] = float(np.mean(values)) if values else None
        row[f"{name} +-"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
    found = difference._asdict() if difference else {}
    for title, name in OF_PAIRS.items():
        row[title] = found.get(name)
    return row


def figures_of(group: SeedGroup) -> dict[str, str]:
    """What runs reached and cost: mean and standard deviation of each figure, by its name."""
    from fedcli.runs.comparison import FIGURES

    return {name: _spread(group.values(name)) for name in FIGURES}


def _spread(values: Sequence[float]) -> str:
    """Mean and standard deviation; a single value has none."""
    import numpy as np

    if not values:
        return ""
    # A mean of bytes has no decimals worth showing.
    mean = float(np.mean(values)) if max(values) < 1000 else round(float(np.mean(values)))
    if len(values) == 1:
        return readable(mean)
    return f"{readable(mean)} +- {readable(float(np.std(values, ddof=1)))}"


def _facts(group: SeedGroup, difference: Paired | None) -> dict[str, object]:
    from fedcli.runs.comparison import FIGURES

    return {
        "label": group.label,
        "seeds": [run.seed for run in group.runs],
        **{name: values for name in FIGURES if (values := group.values(name))},
        "minus_the_first": difference and difference._asdict(),
    }
