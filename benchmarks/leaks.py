"""Memory, threads, descriptors and TensorFlow programs over many rounds of one run, and over many runs of one process.

    python benchmarks/leaks.py [--rounds 1000] [--runs 20] [--only rounds failed ...] [--json]

`rounds` is one run of many rounds. In each of the others one process starts run after run: plain ones, with worker
processes as executor, with encryption, under differential privacy, and runs that a callback ends by an exception. The
first quarter of a series warms up (compilers, caches and the allocator's pools); what comes after it has to be flat.
Figures are read from /proc, so that this needs Linux. The exit code is 1 if something grows.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

BASE = """
name: leaks
seed: 7
rounds: 3
data: {name: digits, partition: {name: iid, clients: 8}, validation_fraction: 0.2}
model: {name: mlp, hidden: [16]}
client: {optimizer: {name: sgd, learning_rate: 0.1}, epochs: 1, batch_size: 32}
strategy: {name: fedavgm}
evaluation: {clients: true}
executor: {name: threads, workers: 2}
"""
KINDS = {
    "plain": [],
    "failed": [],
    "private": [
        "cohort={name: poisson, rate: 0.5}",
        "strategy={name: dp-clipped, clip_norm: 1.0, epsilon: 4.0, delta: 1.0e-3}",
        "evaluation.clients=false",
    ],
    "encryption": ["strategy=mean", "fixed_point={clip_norm: 10.0, bits: 20}", "encryption={name: secagg}"],
    "processes": ["executor={name: processes, workers: 2}"],
}
ROUNDS = "rounds"
# A record of a round stays in memory, with its values about 5 KB. What would be a leak is a client's data (29 KB here),
# an update or a model.
KILOBYTES_A_ROUND = 10.0
# TensorFlow never frees what XLA compiled: a bare `tf.function(jit_compile=True)` that is made anew leaves 2.4 MB for
# three shapes, and without `jit_compile` nothing. 3.5 to 4.8 MB a run were measured, in 8, 20 and 24 runs.
KILOBYTES_A_RUN = 7_000.0


class Figures(NamedTuple):
    """What a process holds: kilobytes in memory, threads, open descriptors, TensorFlow's functions, child processes."""

    kilobytes: int
    threads: int
    descriptors: int
    programs: int
    children: int


class Series(NamedTuple):
    """The figures after each step, and what a step may cost.

    Args:
        kind: which experiment.
        step: `round` or `run`.
        figures: one for each step.
        limit: kilobytes that a step may add.
    """

    kind: str
    step: str
    figures: list[Figures]
    limit: float

    @property
    def settled(self) -> list[Figures]:
        """The figures after the first quarter."""
        return self.figures[len(self.figures) // 4 :]

    @property
    def growth(self) -> float:
        """Kilobytes that a step adds: the median of the slopes between any two settled figures (Theil and Sen)."""
        from scipy.stats import theilslopes

        return float(theilslopes([each.kilobytes for each in self.settled]).slope)

    @property
    def complaints(self) -> list[str]:
        """What is not flat."""
        first, last = self.settled[0], self.settled[-1]
        found = [
            f"{name} grew from {before} to {after}"
            for name, before, after in zip(Figures._fields[1:], first[1:], last[1:], strict=True)
            if after > before
        ]
        if self.growth > self.limit:
            found.append(f"memory grows by {self.growth:.1f} KB a {self.step}, more than {self.limit:g}")
        return found


def measured() -> Figures:
    """The figures of this process now, after glibc has given all freed memory back."""
    from tensorflow.python.eager import context

    gc.collect()
    # The allocator keeps freed memory, up to 50 MB at one time and none at the next. What is kept is nobody's.
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    tasks = list(Path("/proc/self/task").iterdir())
    children = [child for task in tasks for child in (task / "children").read_text().split()]
    return Figures(
        next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")),
        len(tasks),
        len(list(Path("/proc/self/fd").iterdir())),
        len(context.context().list_function_names()),
        len(children),
    )


def over_rounds(rounds: int, place: Path, *, every: int = 1) -> Series:
    """One run of so many rounds, measured after each `every` of them."""
    import fedcli
    from fedcli.runs.lifecycle import Progress

    figures: list[Figures] = []

    def note(record: dict[str, Any]) -> None:
        if record["round"] % every == 0:
            figures.append(measured())

    fedcli.run(BASE, [f"rounds={rounds}"], folder=place / ROUNDS, progress=Progress(round_end=note))
    return Series(ROUNDS, "round" if every == 1 else f"{every} rounds", figures, KILOBYTES_A_ROUND * every)


def over_runs(kind: str, runs: int, place: Path) -> Series:
    """So many runs of a kind, one after the other, measured after each."""
    import fedcli
    from fedcli.components.callbacks.callback import Callback

    def fails(_run: object, _state: object, record: Any) -> str | None:
        if record["round"] == 2:
            raise ArithmeticError("this callback fails")
        return None

    callbacks = [Callback(on_round_end=fails)] if kind == "failed" else []
    figures = []
    for number in range(runs):
        with contextlib.suppress(fedcli.RunError) if kind == "failed" else contextlib.nullcontext():
            fedcli.run(
                BASE, KINDS[kind], folder=place / f"{kind}-{number}", callbacks=callbacks, progress=False
            )
        figures.append(measured())
    return Series(kind, "run", figures, KILOBYTES_A_RUN)


def all_series(rounds: int, runs: int, kinds: list[str]) -> Iterator[Series]:
    """The series that were asked for, one after the other in this process."""
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            yield (
                over_rounds(rounds, Path(folder), every=max(1, rounds // 100))
                if kind == ROUNDS
                else over_runs(kind, runs, Path(folder))
            )


def main() -> int:
    """Print the figures; 1 if something grows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=[ROUNDS, *KINDS], default=[ROUNDS, *KINDS])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    bad = 0
    if not arguments.json:
        print(
            f"{'':<12}{'after':<18}{'MB':>7}{'threads':>9}{'files':>7}{'programs':>10}{'children':>10}  a step"
        )
    for series in all_series(arguments.rounds, arguments.runs, arguments.only):
        bad += bool(series.complaints)
        if arguments.json:
            growth, complaints = series.growth, series.complaints
            print(json.dumps({**series._asdict(), "growth": growth, "complaints": complaints}), flush=True)
            continue
        steps = len(series.figures)
        for after in sorted({1, -(-steps // 4), -(-steps // 2), steps}):
            kilobytes, *others = series.figures[after - 1]
            end = f"  {series.growth:+.1f} KB" if after == steps else ""
            label = f"{after} x {series.step}"
            columns = "".join(
                f"{value:>{width}}" for value, width in zip(others, (9, 7, 10, 10), strict=True)
            )
            print(f"{series.kind:<12}{label:<18}{kilobytes / 1024:>7.1f}{columns}{end}", flush=True)
        for complaint in series.complaints:
            print(f"{series.kind}: {complaint}", file=sys.stderr)
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
