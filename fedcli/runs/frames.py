"""Runs as tables of pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fedcli.core.errors import RunError
from fedcli.store import directory

if TYPE_CHECKING:
    from pandas import DataFrame

    from fedcli.runs.comparison import Paired, SeedGroup
    from fedcli.runs.run_list import Entry


def records_frame(run: Path, log: str) -> DataFrame:
    """The records of a log, one a line; the index is the round, and a value that a round does not have is NaN.

    Args:
        run: the run directory.
        log: the name of the log.

    Raises:
        RunError: if the records name no rounds.
    """
    import pandas as pd

    # A run without a round has the index too, so that a script need not ask.
    frame = pd.DataFrame(directory.read_records(run, log) or {"round": []})
    if "round" not in frame:
        raise RunError(
            f"{run / log} has records without a round.\n`fedcli verify {run}` says what else is wrong."
        )
    return frame.set_index("round")


def runs_frame(entries: Sequence[Entry]) -> DataFrame:
    """Runs of a folder, one a line; the index is the number that commands take."""
    import pandas as pd

    rows = [
        {
            "number": entry.number,
            "short": entry.short,
            "state": entry.state,
            "begun": entry.begun,
            "folder": str(entry.folder),
            **(_reached(entry) if entry.summary else {}),
        }
        for entry in entries
    ]
    columns = ("name", "strategy", "rounds", "planned", "metric", "best", "last", "epsilon", "seconds")
    order = ["number", "short", *columns[:2], "state", *columns[2:], "begun", "folder"]
    return pd.DataFrame(rows, columns=order).set_index("number")


def _reached(entry: Entry) -> dict[str, object]:
    summary = entry.summary
    if summary is None:
        return {}
    figures = summary.figures
    return {
        "name": summary.name,
        "strategy": summary.strategy,
        "rounds": summary.rounds,
        "planned": summary.planned,
        "epsilon": summary.epsilon,
        "seconds": summary.seconds,
        **({"metric": figures.column, "best": figures.best, "last": figures.last} if figures else {}),
    }


def comparison_frame(
    groups: Sequence[SeedGroup],
    keys: Mapping[str, Sequence[str]],
    differences: Sequence[Paired | None],
) -> DataFrame:
    """Groups of runs, one a line: keys that differ, figures with their deviation, and paired differences to the first.

    Args:
        groups: runs that differ in the seed only.
        keys: keys of the config that differ between groups, with the value of each group.
        differences: to the first group; None for the first itself, and where no seed is the same.
    """
    import pandas as pd

    from fedcli.runs.comparison import FIGURES, OF_PAIRS

    rows = []
    for index, (group, difference) in enumerate(zip(groups, differences, strict=True)):
        row: dict[str, object] = {"runs": len(group.runs)}
        row |= {key: values[index] for key, values in keys.items()}
        for name in FIGURES:
            values = pd.Series(group.values(name), dtype=float)
            if len(values):
                # Of one value pandas has no deviation, and says so by NaN.
                row |= {name: values.mean(), f"{name} +-": values.std()}
        if difference is not None:
            row |= {title: getattr(difference, name) for title, name in OF_PAIRS.items()}
        rows.append(row)
    return pd.DataFrame(rows, index=pd.Index([group.label for group in groups], name="group")).dropna(
        axis="columns", how="all"
    )
