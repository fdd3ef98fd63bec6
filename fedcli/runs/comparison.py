"""What differs between runs: their configs, and their figures, paired over seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fedcli import config
from fedcli.core.errors import ConfigError
from fedcli.core.seeds import SERVER, generator
from fedcli.engine.records import Row
from fedcli.engine.run_columns import meant_column
from fedcli.runs.extension import extended
from fedcli.runs.headline import Headline, headline, is_finite
from fedcli.runs.run_directory import Run, open_run
from fedcli.runs.run_list import entry_of

# What tells runs apart that are otherwise the same, or says only where they were.
IDENTITY = ("seed", "name")
_TOTALS: tuple[tuple[str, str, Callable[[list[float]], float]], ...] = (
    ("epsilon", "epsilon", lambda values: values[-1]),
    ("simulated seconds", "simulated/seconds", lambda values: values[-1]),
    ("bytes up", "bytes_up", sum),
    ("seconds", "seconds/total", sum),
)
FIGURES = ("last", "best", *(name for name, _, _ in _TOTALS))
"""What `SeedGroup.values` knows, in the order of tables."""
OF_PAIRS = {
    "minus the first": "mean",
    "minus the first +-": "deviation",
    "low": "low",
    "high": "high",
    "p": "p",
    "better": "num_better",
    "pairs": "num_pairs",
}
"""The fields of `Paired` by their titles in tables."""
_RESAMPLES = 9_999
_LONGEST_LABEL = 50


class Compared(NamedTuple):
    """A run of a comparison.

    Args:
        run: its directory.
        experiment: its config.
        records: its rounds, which are read once.
        settings: the config, one value for each key such as `client.epochs`.
        figures: its headline, which is of the same column in all runs.
        totals: what it cost, by name: epsilon, simulated seconds, bytes, seconds.
    """

    run: Run
    experiment: config.Experiment
    records: list[Row]
    settings: Mapping[str, str]
    figures: Headline
    totals: Mapping[str, float]

    @property
    def seed(self) -> str:
        """The seed, which pairs it with runs of other groups."""
        return self.settings["seed"]


class SeedGroup(NamedTuple):
    """Runs whose configs differ in the seed only, or not at all.

    Args:
        label: what tells it from the other groups: the values of the keys that differ.
        runs: at least one.
    """

    label: str
    runs: tuple[Compared, ...]

    def values(self, name: str) -> list[float]:
        """`best` or `last` of the headline, or a total, of every run that has it."""
        if name in ("best", "last"):
            return [float(getattr(run.figures, name)) for run in self.runs]
        return [run.totals[name] for run in self.runs if name in run.totals]


class Paired(NamedTuple):
    """The last values of a group minus those of the first one, for the same seeds.

    Args:
        num_pairs: seeds that both groups have.
        num_better: pairs in which the group is better.
        mean: of the differences.
        deviation: their standard deviation; None for a single pair.
        low: lower end of the 95 % interval of the mean (bootstrap, BCa); None with fewer than three pairs, or
            where all differences are the same.
        high: upper end.
        p: two-sided p value of a paired t-test; None where there is no interval.
    """

    num_pairs: int
    num_better: int
    mean: float
    deviation: float | None
    low: float | None
    high: float | None
    p: float | None


def compared(folders: Sequence[Path], metric: str | None = None) -> list[Compared]:
    """The runs of a comparison, with the same column as their headline.

    Args:
        folders: their run directories.
        metric: the column; by default the headline of the first run.

    Raises:
        ConfigError: if a folder is not a run directory, or a run has no finite value of the column.
    """
    runs = [open_run(folder) for folder in folders]
    records = [run.records for run in runs]
    column = metric
    if column is None:
        first = headline(records[0])
        if first is None:
            raise ConfigError(f"{folders[0]} has no evaluated round to compare.", hint="Leave it out.")
        column = first.column
    found = []
    for run, rows in zip(runs, records, strict=True):
        figures = headline(
            [{name: row[name] for name in ("round", column) if name in row} for row in rows], [column]
        )
        if figures is None:
            known = sorted({name for row in rows for name in row if is_finite(row[name])})
            meant = meant_column(column, known)
            others = f"Leave it out, or choose another --metric; it has {', '.join(known) or 'none'}."
            raise ConfigError(f"{run.folder} has no value of {column}.", hint=meant or others)
        experiment = run.config.experiment
        found.append(Compared(run, experiment, rows, settings_of_run(experiment), figures, _totals(rows)))
    return found


def differing(runs: Sequence[Compared]) -> dict[str, list[str]]:
    """The keys whose values differ between runs, with the value of each run; empty text where a run lacks the key."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    values = {key: [run.settings.get(key, "") for run in runs] for key in keys}
    return {key: each for key, each in values.items() if len(set(each)) > 1}


def grouped(runs: Sequence[Compared]) -> list[SeedGroup]:
    """The runs in groups whose configs are the same but for the seed, in the order in which they were named."""
    keys = [key for key in differing(runs) if key not in IDENTITY]
    found: dict[tuple[str, ...], list[Compared]] = {}
    for run in runs:
        found.setdefault(tuple(run.settings.get(key, "") for key in keys), []).append(run)
    labels = _labels(keys, list(found), [members[0] for members in found.values()])
    return [SeedGroup(label, tuple(members)) for label, members in zip(labels, found.values(), strict=True)]


def paired(first: SeedGroup, other: SeedGroup) -> Paired | None:
    """The differences between two groups; None if they have no seed in common.

    Reference: the interval is `scipy.stats.bootstrap` with BCa (Efron 1987, doi:10.2307/2289144), resampled from a
    fixed seed, so that the same runs have the same interval.
    """
    # Of runs that repeat a seed, the first one that was named.
    before = {run.seed: run.figures.last for run in reversed(first.runs)}
    after = {run.seed: run.figures.last for run in reversed(other.runs)}
    differences = np.array([value - before[seed] for seed, value in after.items() if seed in before])
    if not differences.size:
        return None
    sign = 1 if other.runs[0].figures.better == "up" else -1
    num_better, mean = int((sign * differences > 0).sum()), float(differences.mean())
    if differences.size == 1:
        return Paired(1, num_better, mean, None, None, None, None)
    deviation = float(differences.std(ddof=1))
    # Differences that are the same but for rounding have no spread, and would have a p of almost nothing.
    if deviation <= 1e-12 * float(np.abs(differences).max()):
        deviation = 0.0
    # Two pairs say nothing about their spread.
    if differences.size < 3 or deviation == 0:
        return Paired(differences.size, num_better, mean, deviation, None, None, None)
    from scipy import stats

    interval = stats.bootstrap(
        (differences,), np.mean, n_resamples=_RESAMPLES, rng=generator(0, 0, SERVER, "bootstrap")
    ).confidence_interval
    p = float(stats.ttest_1samp(differences, 0.0).pvalue)
    return Paired(differences.size, num_better, mean, deviation, float(interval.low), float(interval.high), p)


def cautions(runs: Sequence[Compared]) -> list[str]:
    """What a reader must know before last values are compared: runs that did not reach their end, or diverged."""
    found = []
    for run in runs:
        # More than its config plans, if the run was extended.
        rows, planned = run.records, extended(run.experiment, run.run.folder).rounds
        last, measured = int(rows[-1]["round"]), run.figures.last_round
        name, column = run.run.folder.name, run.figures.column
        if any(column in row and not is_finite(row[column]) for row in rows if row["round"] > measured):
            found.append(
                f"{name} has no number for {column} after round {measured:,} of {last:,}: its last model is not "
                "measured by it, as after a divergence."
            )
        if last == planned:
            continue
        if (state := entry_of(run.run.folder).state) != "done":
            others = {
                "running": "is still running",
                "ruined": "ended because its next round ruined the model",
            }
            told = others.get(state, "is not finished")
            found.append(f"{name} {told}: {last:,} of {planned:,} rounds.")
        elif run.experiment.early_stop is None:
            found.append(f"{name} ended early: {last:,} of {planned:,} rounds.")
    return found


def _labels(keys: Sequence[str], values: Sequence[tuple[str, ...]], members: Sequence[Compared]) -> list[str]:
    """What tells groups apart: the names of their configs, else the keys that differ, else a letter."""
    names = [member.settings.get("name", "") for member in members]
    if len(set(names)) == len(names):
        return names
    # The parameters of a component follow from its name, where that tells the groups apart already.
    components = {key.removesuffix("name") for key in keys if key.endswith(".name")}
    short = [key for key in keys if key.endswith(".name") or not key.startswith(tuple(components))]
    for chosen in (keys, short):
        shown = [_label(chosen, dict(zip(keys, each, strict=True))) for each in values]
        # More than this is no label; the table of keys has it.
        if len(set(shown)) == len(shown) and all(len(label) <= _LONGEST_LABEL for label in shown):
            return shown
    return [f"{name} {number}" for number, name in enumerate(names, 1)]


def _label(keys: Sequence[str], settings: Mapping[str, str]) -> str:
    return " ".join(f"{key.removesuffix('.name')}={settings[key]}" for key in keys if settings[key])


def settings_of_run(experiment: config.Experiment) -> dict[str, str]:
    """A config with one value for each dotted key, such as `client.epochs`; keys without a value are left out."""
    found: dict[str, str] = {}
    _flatten("", config.flat(experiment), found)
    return found


def _flatten(prefix: str, value: object, found: dict[str, str]) -> None:
    if isinstance(value, Mapping) and value:
        for key, below in value.items():
            _flatten(f"{prefix}.{key}" if prefix else str(key), below, found)
    elif value is not None:
        found[prefix] = str(value)


def _totals(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, column, total in _TOTALS:
        values = [row[column] for row in rows if is_finite(row.get(column))]
        if values:
            found[name] = total(values)
    return found
