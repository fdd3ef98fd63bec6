"""Ends real processes with `kill -9` at random moments, resumes their runs, and counts processes that are left behind.

    python benchmarks/kills.py [--configs plain scaffold ...] [--kills 30] [--seed 0] [--json]

Each run is `fedcli run` in a process of its own, which is killed at a moment drawn by the seed: while it starts, or in
the middle of a round. Its resumption is killed as well, up to three times in a row, and then the run is resumed to the
end. Weights, states, records and statements must have the bits of a run that nobody killed, and five seconds after a
kill none of the process's descendants may live. Those are found by an environment variable, in Linux's /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks.interruptions import left_in
from fedcli.store import directory

ROUNDS, IN_A_ROW, SECONDS = 8, 3, 5.0
BASE = f"""
name: killed
seed: 11
rounds: {ROUNDS}
data: {{name: digits, partition: {{name: iid, clients: 6}}, validation_fraction: 0.2}}
model: {{name: logistic}}
client: {{optimizer: {{name: sgd, learning_rate: 0.1}}, epochs: 4, batch_size: 8}}
"""
CONFIGS = {
    "adam-dropout": [
        "model={name: mlp, hidden: [16], dropout: 0.2}",
        "client.optimizer={name: adam, learning_rate: 0.01}",
        "cohort={name: uniform, size: 4}",
        # Its workers are processes, which must end with the one that is killed.
        "executor={name: processes, workers: 2}",
    ],
    "scaffold": ["strategy={name: scaffold}", "cohort={name: uniform, size: 4}"],
    "dp-threshold-proofs": [
        "strategy={name: dp-distributed, clip_norm: 1.0, contributors: 5, noise_multiplier: 2.1, delta: 1.0e-3, "
        "bits: 12}",
        "encryption={name: threshold, committee: 3, threshold: 2}",
        "proofs={name: norm-bound}",
        "privacy.reproducible_noise=true",
    ],
    "fedbuff": [
        "strategy={name: fedbuff, buffer_size: 2}",
        "cohort={name: uniform, size: 4}",
        "devices={name: lognormal, examples_per_second: 20, spread: 1.0}",
    ],
    "ditto": ["strategy={name: ditto, regularization: 0.1}", "evaluation.clients=true"],
}
MARK = "FEDCLI_KILLS_MARK"


class Process(NamedTuple):
    """A started `fedcli run`, and the mark that all its descendants inherit."""

    started: subprocess.Popen[str]
    mark: str

    def living(self) -> list[int]:
        """The numbers of the process's descendants that have not ended, and its own."""
        found = []
        for place in Path("/proc").iterdir():
            if not place.name.isdigit():
                continue
            try:
                is_marked = f"{MARK}={self.mark}".encode() in (place / "environ").read_bytes().split(b"\0")
                # One that has ended stays in the table until its parent asks for its exit code.
                if is_marked and ") Z" not in (place / "stat").read_text():
                    found.append(int(place.name))
            except OSError:
                continue
        return found

    def left_behind(self) -> list[int]:
        """Those of them that live five seconds after the process was killed; they are ended now."""
        deadline = time.monotonic() + SECONDS
        while (left := self.living()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for number in left:
            os.kill(number, signal.SIGKILL)
        return left


def start(place: Path, *arguments: str) -> Process:
    """`fedcli run` with these arguments, in the folder `place`."""
    mark = uuid4().hex
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "NO_COLOR": "1", MARK: mark}
    # Python puts its working folder first on the path, and this is another one.
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parent.parent), environment.get("PYTHONPATH", "")]
    )
    with (place / "output").open("w") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", "fedcli", "run", *arguments],
            cwd=place, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
    return Process(started, mark)


def kill(config: str, place: Path, number: int, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Kill processes of this config `number` times; yields what was wrong, and "killed" or "resumed" where nothing."""
    seconds, expected = _undisturbed(config, place)
    kills, runs = 0, 0
    while kills < number:
        runs += 1
        run = f"run-{runs}"
        for _ in range(min(IN_A_ROW, number - kills)):
            process = start(place, *_arguments(config, place / run))
            if not _wait(process, place / run, seconds, rng):
                break
            process.started.kill()
            process.started.wait()
            kills += 1
            left = process.left_behind()
            yield ("left behind", f"{len(left)} processes after kill {kills}") if left else ("killed", "")
        yield _resumed(config, place, run, expected)


def _arguments(config: str, run: Path) -> list[str]:
    if run.exists():
        return ["--resume", run.name]
    return [f"{config}.yaml", "--run-dir", run.name, *CONFIGS[config]]


def _undisturbed(config: str, place: Path) -> tuple[tuple[float, float], dict[str, str]]:
    """The seconds until the first round ends, and of each round after it, of a run; and what is left of it."""
    (place / f"{config}.yaml").write_text(BASE)
    begun = time.monotonic()
    process = start(place, *_arguments(config, place / "whole"))
    times: list[float] = []
    while process.started.poll() is None:
        if _rounds(place / "whole") > len(times):
            times.append(time.monotonic() - begun)
        time.sleep(0.005)
    if process.started.returncode:
        raise RuntimeError((place / "output").read_text())
    return (times[0], float(np.median(np.diff(times)))), left_in(place / "whole")


def _wait(process: Process, run: Path, seconds: tuple[float, float], rng: np.random.Generator) -> bool:
    """Wait for a random moment in the life of a process; False if it ended before."""
    begun, before = time.monotonic(), _rounds(run)
    # One of eight dies while it starts, before its first round.
    is_early, wanted, part = rng.random() < 1 / 8, before + int(rng.integers(0, ROUNDS - 1)), rng.random()
    while process.started.poll() is None:
        if is_early and time.monotonic() - begun > part * seconds[0]:
            return True
        if not is_early and run.exists() and _rounds(run) >= min(wanted, ROUNDS - 1):
            time.sleep(part * seconds[1])
            return process.started.poll() is None
        time.sleep(0.002)
    return False


def _resumed(config: str, place: Path, run: str, expected: dict[str, str]) -> tuple[str, str]:
    """Resume a run to its end, or start it if it was killed before it had a folder."""
    process = start(place, *_arguments(config, place / run))
    if process.started.wait():
        return "not resumable", (place / "output").read_text()
    left = left_in(place / run)
    wrong = [name for name in sorted({*left} | {*expected}) if left.get(name) != expected.get(name)]
    return ("mismatch", ", ".join(wrong)) if wrong else ("resumed", "")


def _rounds(run: Path) -> int:
    log = run / directory.METRICS
    return log.read_bytes().count(b"\n") if log.exists() else 0


OUTCOMES = ("killed", "resumed", "mismatch", "not resumable", "left behind")


def count(
    configs: list[str], kills: int, seed: int, watch: Callable[[str], None] = lambda _line: None
) -> dict[str, Any]:
    """Kill processes of each config, and count what became of their runs."""
    rng = np.random.Generator(np.random.Philox(seed))
    rows, shown = [], []
    for config in configs:
        counts = dict.fromkeys(OUTCOMES, 0)
        with tempfile.TemporaryDirectory() as place:
            for outcome, details in kill(config, Path(place), kills, rng):
                counts[outcome] += 1
                if details:
                    shown.append(f"{config}: {outcome}: {details}")
                    watch(shown[-1])
        counts["killed"] += counts["left behind"]
        rows.append({"config": config, **counts})
        watch("  ".join(f"{value}" for value in rows[-1].values()))
    return {"rows": rows, "shown": shown}


def main() -> None:
    """Kill and print; exits with 1 after any problem."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--configs", nargs="+", choices=list(CONFIGS), default=list(CONFIGS))
    parser.add_argument("--kills", type=int, default=30, help="of each config")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = count(
        arguments.configs, arguments.kills, arguments.seed, partial(print, file=sys.stderr, flush=True)
    )
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        print(f"| config | {' | '.join(OUTCOMES)} |\n|{'---|' * (1 + len(OUTCOMES))}")
        for row in found["rows"]:
            print(f"| {' | '.join(str(value) for value in row.values())} |")
    sys.exit(bool(found["shown"]))


if __name__ == "__main__":
    main()
