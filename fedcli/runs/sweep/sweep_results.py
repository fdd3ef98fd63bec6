"""What a sweep has reached: its settings from the best to the worst, as a table, as CSV and as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fedcli import config
from fedcli.core.errors import ConfigError
from fedcli.runs.comparison import SeedGroup, compared
from fedcli.runs.course import course_of
from fedcli.runs.course_axis import AXES
from fedcli.runs.course_picture import course_picture
from fedcli.runs.results_table import results_table
from fedcli.runs.sweep.trials import Trial, label_of
from fedcli.store.files import durable

TABLE, PICTURE = "sweep.csv", "sweep.png"
MOST_CURVES = 8
"""More curves in a picture cannot be told apart; it has the best ones."""


class SweepResults(NamedTuple):
    """The runs that are done.

    Args:
        column: the metric by which settings are compared.
        groups: runs of the same settings but for the seed, the best mean first; those that ruined the model with other
            seeds are last, and their labels have the number of these.
    """

    column: str
    groups: list[SeedGroup]


def results_of(
    folder: Path, done: Sequence[Trial], ruined: Sequence[Trial], metric: str | None
) -> SweepResults | None:
    """The results of the runs that are done; None if none is.

    Args:
        folder: the folder of the sweep.
        done: those of its runs that are done.
        ruined: those that have ruined their models.
        metric: the column; None for the headline of the first run.

    Raises:
        ConfigError: if a run has no value of the column.
    """
    if not done:
        return None
    runs = compared([folder / trial.name for trial in done], metric)
    members: dict[str, list[int]] = {}
    for number, trial in enumerate(done):
        members.setdefault(trial.group, []).append(number)
    num_ruined = Counter(trial.group for trial in ruined)
    sign = -1 if runs[0].figures.better == "up" else 1
    ranked: list[tuple[bool, float, SeedGroup]] = []
    for name, numbers in members.items():
        label, lost = _label(done[numbers[0]]), num_ruined[name]
        if lost:
            label = f"{label} (ruined seeds: {lost})"
        group = SeedGroup(label, tuple(runs[number] for number in numbers))
        # The mean of the seeds that survived flatters the setting.
        ranked.append((lost > 0, sign * _mean(group), group))
    ranked.sort(key=lambda each: each[:2])
    return SweepResults(runs[0].figures.column, [group for _, _, group in ranked])


def write_results(folder: Path, trials: Sequence[Trial], results: SweepResults) -> None:
    """Write sweep.csv, with a line for each run that is done, and sweep.png, with the curves of the best settings."""
    settings = {trial.name: trial.settings for trial in trials}
    rows = [
        {
            "run": run.run.folder.name,
            **{key: config.inline(value) for key, value in settings[run.run.folder.name].items()},
            "metric": results.column,
            "best": run.figures.best,
            "best_round": run.figures.best_round,
            "last": run.figures.last,
            **run.totals,
        }
        for group in results.groups
        for run in group.runs
    ]
    durable.write(folder / TABLE, results_table(rows))
    shown = results.groups[:MOST_CURVES]
    try:
        courses = [course_of(group, results.column, "rounds") for group in shown]
    except ConfigError:
        # Runs of one setting may have no evaluated round in common.
        return
    title = (
        results.column if len(shown) == len(results.groups) else f"{results.column}, the {len(shown)} best"
    )
    durable.write(folder / PICTURE, course_picture(courses, title, AXES["rounds"], "png"))


def _mean(group: SeedGroup) -> float:
    values = group.values("last")
    return sum(values) / len(values)


def _label(trial: Trial) -> str:
    return label_of({key: value for key, value in trial.settings.items() if key != "seed"})
