"""Does B beat A? Two or more experiments over the same seeds, as a Markdown table.

    python benchmarks/compare.py configs/a.yaml configs/b.yaml --seeds 1 2 3 4 5
    python benchmarks/compare.py configs/a.yaml --variant --variant strategy=fedavgm client.epochs=5

A side is a config with a variant's overrides, written as in `fedcli run --set`; an empty variant is the config as it
stands. Every side runs once a seed. A pair is the first side and another with one seed: the same data, partition,
initial weights and cohorts. Runs are kept in runs/compare and reused. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from fedcli import config
from fedcli.cli.interruption import interruptible
from fedcli.cli.output import quiet_imports
from fedcli.components.clients.runtime.task import higher_is_better
from fedcli.core.errors import ConfigError, FedcliError, RunInterrupted
from fedcli.experiment.protection.order import recipe
from fedcli.store import directory

Row = dict[str, Any]
Values = Sequence[float]
FOLDER = Path("runs/compare")


class Side(NamedTuple):
    """One row of the table: its label, and its config for each seed."""

    label: str
    sources: list[config.Config]


class Outcome(NamedTuple):
    """What a side came to, one value a seed: the final metric, and the first round at the target (or infinity)."""

    label: str
    final: list[float]
    reached: list[float]


def load_sides(arguments: argparse.Namespace) -> list[Side]:
    """Every config with every variant, for every seed; all are checked before anything runs."""
    sides = []
    for path in arguments.configs:
        for variant in arguments.variant or [[]]:
            label = " ".join([Path(path).stem, *variant])
            shared = [*arguments.set, *variant]
            sources = [pairable(path, [*shared, f"seed={seed}"]) for seed in arguments.seeds]
            sides.append(Side(label, sources))
    return sides


def pairable(path: str, overrides: list[str]) -> config.Config:
    """A config whose cohorts follow from its seed, so that both sides of a pair have the same ones.

    A private run draws its cohorts, and its noise, from the operating system otherwise. Its release would protect
    nobody who knows the seed, which a benchmark can afford.
    """
    source = config.load(path, overrides)
    if recipe(source.experiment).privacy is None:
        return source
    return config.load(path, [*overrides, "privacy.reproducible_noise=true"])


def run_folder(experiment: config.Experiment) -> Path:
    """Where a run is kept: a function of its whole resolved config, so that comparisons share equal runs."""
    digest = hashlib.sha256(config.dump(experiment).encode()).hexdigest()[:10]
    return FOLDER / f"{experiment.name}-seed{experiment.seed}-{digest}"


def records_of(source: config.Config, asked_to_stop: Callable[[], bool]) -> list[Row]:
    """The rounds of a run: read if it is finished, else gone on with, else started."""
    folder = run_folder(source.experiment)
    if source.experiment.rounds in directory.finished_rounds(folder):
        return [json.loads(line) for line in (folder / directory.METRICS).read_text().splitlines()]
    return train(source, folder, asked_to_stop)


def train(source: config.Config, folder: Path, asked_to_stop: Callable[[], bool]) -> list[Row]:
    """Run an experiment to its end in this process. A finished comparison is printed without TensorFlow."""
    with quiet_imports():
        from fedcli.runs import lifecycle

    def watch(_done: int, _planned: int) -> None:
        if asked_to_stop():
            raise RunInterrupted("Interrupted. The same command goes on from here.")

    progress = lifecycle.Progress(watch=watch)
    if folder.exists():
        return lifecycle.resume_run(folder, progress=progress).records
    return lifecycle.start_run(source, folder, progress=progress).records


def final_value(records: Sequence[Row], metric: str, last: int) -> float:
    """Mean of a metric over the last evaluated rounds; NaN if it was not finite in one of them.

    Raises:
        ConfigError: if no round has the metric.
    """
    values = [record[metric] for record in records if metric in record]
    if not values:
        known = ", ".join(sorted(name for name in records[-1] if "/" in name))
        raise ConfigError(f"no round has the metric '{metric}'.", hint=f"The last round has: {known}.")
    return float(np.mean([math.nan if value is None else value for value in values[-last:]]))


def first_round(records: Sequence[Row], metric: str, target: float) -> float:
    """The first evaluated round whose metric is at least as good as the target; infinity if there is none."""
    sign = 1 if higher_is_better(metric) else -1
    good = (r["round"] for r in records if r.get(metric) is not None and sign * (r[metric] - target) >= 0)
    return float(next(good, math.inf))


def mean_and_deviation(values: Values) -> tuple[float, float]:
    """Mean and sample standard deviation, which is NaN for a single value."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def table(outcomes: Sequence[Outcome], metric: str, target: float | None) -> str:
    """The outcomes as Markdown, the differences paired with the first one's values of the same seeds."""
    pairs = len(outcomes[0].final)
    heading = ["", metric, "minus the first", "95 % interval", "p", f"better in, of {pairs}"]
    if target is not None:
        heading.append(f"rounds to {target:g}")
    rows = [heading, ["---"] * len(heading)]
    for index, outcome in enumerate(outcomes):
        cells = [f"`{outcome.label}`", spread(outcome.final), "", "", "", ""]
        if index:
            differences = np.subtract(outcome.final, outcomes[0].final)
            sign = 1 if higher_is_better(metric) else -1
            better = str(int((sign * differences > 0).sum()))
            cells[2:] = [spread(differences, signed=True), *paired_test(differences), better]
        if target is not None:
            cells.append(rounds_cell(outcome.reached))
        rows.append(cells)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def spread(values: Values, *, signed: bool = False) -> str:
    """A mean and its standard deviation as a cell."""
    mean, deviation = mean_and_deviation(values)
    shown = f"{mean:+.4f}" if signed else f"{mean:.4f}"
    return shown if math.isnan(deviation) else f"{shown} ± {deviation:.4f}"


def paired_test(differences: Values) -> tuple[str, str]:
    """The interval of a paired t-test for the mean difference, and its p value, as cells; empty for a single pair."""
    from scipy import stats

    mean, deviation = mean_and_deviation(differences)
    # A difference that is the same with every seed has no spread to test against.
    if not deviation > 0:
        return "", ""
    found = stats.ttest_1samp(differences, 0.0)
    half = float(stats.t.ppf(0.975, len(differences) - 1)) * deviation / math.sqrt(len(differences))
    return f"{mean - half:+.4f} to {mean + half:+.4f}", f"{float(found.pvalue):.2g}"


def rounds_cell(reached: Values) -> str:
    """The median of the rounds to a target, a run that never came there being the slowest."""
    median, count = float(np.median(reached)), int(np.isfinite(reached).sum())
    shown = f"{median:g}" if math.isfinite(median) else "not reached"
    return shown if count == len(reached) else f"{shown} (reached by {count} of {len(reached)})"


def compare(arguments: argparse.Namespace, asked_to_stop: Callable[[], bool]) -> list[Outcome]:
    """Run what is left, seed by seed, so that a stopped comparison has complete pairs."""
    sides = load_sides(arguments)
    outcomes = [Outcome(side.label, [], []) for side in sides]
    for index, seed in enumerate(arguments.seeds):
        for side, outcome in zip(sides, outcomes, strict=True):
            begun = time.perf_counter()
            records = records_of(side.sources[index], asked_to_stop)
            outcome.final.append(final_value(records, arguments.metric, arguments.last))
            if arguments.target is not None:
                outcome.reached.append(first_round(records, arguments.metric, arguments.target))
            seconds = time.perf_counter() - begun
            shown = f"{arguments.metric} {outcome.final[-1]:.4f}, {seconds:.0f} s"
            print(f"seed {seed}  {side.label}: {shown}", file=sys.stderr, flush=True)
    return outcomes


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description="Experiments over the same seeds, as a Markdown table.")
    parser.add_argument("configs", nargs="+", metavar="CONFIG", help="an experiment's YAML file")
    parser.add_argument(
        "--variant",
        nargs="*",
        action="append",
        metavar="KEY=VALUE",
        help="a side: every config with these values; repeatable, empty for the config as it stands",
    )
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="values for every side")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(1, 9)), help="one pair each")
    parser.add_argument("--metric", default="test/accuracy", help="a name in metrics.jsonl")
    parser.add_argument("--last", type=int, default=5, help="evaluated rounds that the final metric averages")
    parser.add_argument("--target", type=float, help="also count the rounds to this value of the metric")
    arguments = parser.parse_args(words)
    if arguments.last < 1:
        parser.error("--last is at least 1")
    if len(set(arguments.seeds)) < len(arguments.seeds):
        parser.error("--seeds has the same seed twice")
    return arguments


def main() -> int:
    """Run the comparison and print its table."""
    arguments = parse()
    try:
        with interruptible() as asked_to_stop:
            outcomes = compare(arguments, asked_to_stop)
    except FedcliError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(table(outcomes, arguments.metric, arguments.target))
    return 0


if __name__ == "__main__":
    sys.exit(main())
