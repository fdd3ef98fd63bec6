"""What a round, a start and the memory cost by the population and by the cohort, as ratios within one run.

    python benchmarks/population.py [--populations 100 1000 ...] [--cohorts 10 100 ...] [--rounds 15] [--quick] [--json]

Synthetic(1, 1), 2NN, 60 batches of 10 a client. Rounds of all populations are in one process and in turn, A B C A B C;
each population also starts in a process of its own, for its peak memory. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.figures import Figure
from fedcli import config
from fedcli.cli.output import quiet_imports
from fedcli.core.rounds import RoundState
from fedcli.engine.round import run_round
from fedcli.engine.setup import Assembly
from fedcli.experiment.assemble import assemble
from fedcli.experiment.plan import plan

POPULATIONS, COHORTS = (100, 1_000, 10_000, 100_000, 1_000_000), (10, 100, 1_000)
SMALL = 1_000
"""The population to which others are compared."""
MOST_ROUND, MOST_SECONDS, MOST_MB, MOST_COHORT = 1.05, 10.0, 300.0, 105.0
"""The marks: of the largest population against `SMALL`, and of a cohort of 1,000 against one of 10."""
ROUNDS = 100_000
"""Planned and never reached, since the last round of a run is always evaluated."""
_QUICK = (100, 1_000), (10, 20), 2

EXPERIMENT = """
seed: 1
rounds: {rounds}
data: {{name: synthetic, clients: {population}, test_clients: 100, partition: natural, validation_fraction: 0.0}}
model: {{name: mlp}}
client: {{optimizer: {{name: sgd, learning_rate: 0.01}}, steps: 60, batch_size: 10}}
cohort: {{name: uniform, size: {cohort}}}
strategy: {{name: mean}}
evaluation: {{every: {rounds}}}
"""


def assembled(population: int, cohort: int) -> tuple[Assembly, RoundState]:
    """An experiment of so many clients, ready for its first round."""
    text = EXPERIMENT.format(rounds=ROUNDS, population=population, cohort=cohort)
    return assemble(plan(config.loads(text).experiment))


def round_seconds(settings: Sequence[tuple[int, int]], rounds: int) -> dict[tuple[int, int], float]:
    """The median seconds of a round for each population and cohort, of rounds that take turns.

    Medians, because the sizes of clients have a heavy tail, and the first client of each padded size compiles.
    """
    made = {setting: assembled(*setting) for setting in settings}
    states = {setting: state for setting, (_, state) in made.items()}
    seconds: dict[tuple[int, int], list[float]] = {setting: [] for setting in settings}
    for index in range(rounds + 3):
        for setting, (assembly, _) in made.items():
            begun = time.perf_counter()
            states[setting], *_ = run_round(assembly, states[setting], lambda _round: None, lambda *_: None)
            # The first rounds compile the common sizes.
            if index >= 3:
                seconds[setting].append(time.perf_counter() - begun)
    for assembly, _ in made.values():
        assembly.executor.close()
    return {setting: statistics.median(values) for setting, values in seconds.items()}


def own_process(population: int, rounds: int) -> dict[str, float]:
    """Seconds from the config to the end of the first round, and peak MB after some rounds, in this process."""
    with quiet_imports():
        import tensorflow  # noqa: F401 - its import takes the same for all populations
    begun = time.perf_counter()
    assembly, state = assembled(population, 10)
    state, *_ = run_round(assembly, state, lambda _round: None, lambda *_: None)
    started = time.perf_counter() - begun
    for _ in range(rounds):
        state, *_ = run_round(assembly, state, lambda _round: None, lambda *_: None)
    assembly.executor.close()
    return {"start_seconds": started, "peak_mb": peak_megabytes()}


def peak_megabytes() -> float:
    """The peak of this process's memory."""
    # On Linux the peak of `resource` begins with that of the process which started this one.
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(populations: Sequence[int], cohorts: Sequence[int], rounds: int) -> dict[str, Any]:
    """All figures: of each population with a cohort of 10, and of each cohort out of the largest population."""
    largest = max(populations)
    by_population = round_seconds([(each, 10) for each in populations], rounds)
    by_cohort = round_seconds([(largest, each) for each in cohorts], max(rounds // 3, 1))
    command = [sys.executable, __file__, "--rounds", str(rounds), "--alone"]
    alone = {
        each: json.loads(subprocess.run([*command, str(each)], check=True, capture_output=True).stdout)
        for each in populations
    }
    base = SMALL if SMALL in populations else min(populations)
    least = min(cohorts)
    return {
        "populations": [
            {
                "clients": each,
                "round_ms": 1000 * by_population[each, 10],
                "round_ratio": by_population[each, 10] / by_population[base, 10],
                **alone[each],
                "more_seconds": alone[each]["start_seconds"] - alone[base]["start_seconds"],
                "more_mb": alone[each]["peak_mb"] - alone[base]["peak_mb"],
            }
            for each in populations
        ],
        "cohorts": [
            {
                "cohort": each,
                "of": largest,
                "round_ms": 1000 * by_cohort[largest, each],
                "round_ratio": by_cohort[largest, each] / by_cohort[largest, least],
            }
            for each in cohorts
        ],
        "compared_to": {"clients": base, "cohort": least},
    }


def figures(*, quick: bool) -> Iterator[Figure]:
    """What a population costs beyond a small one, and a cohort beyond a small one."""
    facts = measured(*_QUICK) if quick else measured(POPULATIONS, COHORTS, 15)
    base = facts["compared_to"]
    for row in facts["populations"]:
        if row["clients"] == base["clients"]:
            continue
        is_marked = row["clients"] == max(POPULATIONS)
        named = f"population of {row['clients']:,} against {base['clients']:,}"
        start = f"{row['start_seconds']:.2f} s after the import of TensorFlow"
        for what, value, unit, most, note in (
            ("round", row["round_ratio"], "times", MOST_ROUND, f"{row['round_ms']:.1f} ms, cohort 10"),
            ("start and first round", row["more_seconds"], "s", MOST_SECONDS, start),
            ("peak memory", row["more_mb"], "MB", MOST_MB, f"{row['peak_mb']:,.0f} MB"),
        ):
            yield Figure(f"{what}, {named}", value, unit, most=most if is_marked else None, note=note)
    for row in facts["cohorts"]:
        if row["cohort"] != base["cohort"]:
            yield Figure(
                f"round, cohort of {row['cohort']:,} against {base['cohort']:,}",
                row["round_ratio"],
                "times",
                most=MOST_COHORT if row["cohort"] == max(COHORTS) else None,
                note=f"{row['round_ms']:,.1f} ms, of {row['of']:,} clients",
            )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as tables, or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--populations", type=int, nargs="+", default=POPULATIONS)
    parser.add_argument("--cohorts", type=int, nargs="+", default=COHORTS)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="whether it works, not how fast")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.alone is not None:
        print(json.dumps(own_process(given.alone, given.rounds)))
        return
    if given.quick:
        given.populations, given.cohorts, given.rounds = _QUICK
    with quiet_imports():
        import tensorflow  # noqa: F401 - before any figure
    facts = measured(given.populations, given.cohorts, given.rounds)
    if given.json:
        print(json.dumps(facts, indent=1))
        return
    for rows in (facts["populations"], facts["cohorts"]):
        print("  ".join(f"{name:>13}" for name in rows[0]))
        for row in rows:
            print(
                "  ".join(
                    f"{value:13,.2f}" if isinstance(value, float) else f"{value:13,}"
                    for value in row.values()
                )
            )
        print()


if __name__ == "__main__":
    main()
