"""Interrupts real runs at every change of the file system, resumes them, and compares them with undisturbed ones.

    python benchmarks/interruptions.py [--configs plain scaffold ...] [--modes killed torn ...] [--sample N] [--json]

A run writes through `store/files/disk.py` only. It is made once on a disk that counts its changes, and then once for
each of them, which fails in one of these modes:

- killed: the process ends just before the change;
- torn: it ends in the middle of it, so that half of a file is written;
- power: the machine loses power after it, and everything that was not synced is lost;
- names: it loses power, and file names survive, but not what was not synced of their content;
- full: the disk has one byte too few for it, and stays full;
- error: it fails with EIO, and later changes do not.

Then the run is resumed on a whole disk. It must come to the same models, client states, records and statements, to the
bit, and to the same files. No round that was reported as finished is trained again, except one of the configs whose
checkpoint is later than that (`LATER`). A round that may have been released is not released again, unless its noise is
reproducible and therefore the same; the configs whose names end in `-once` draw noise from the operating system.
`verify` holds before the resumption and after it.

TensorFlow is loaded once, and each experiment is assembled once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import stat
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks.flip_bits import warm
from fedcli.core.errors import FedcliError
from fedcli.store import directory, writer_thread
from fedcli.store.files.disk import LocalDisk
from fedcli.testing import faults

ROUNDS = 3
BASE = f"""
name: interrupted
rounds: {ROUNDS}
data:
  {{name: synthetic_regression, examples: 150, features: 3, partition: {{name: iid, clients: 3}},
  validation_fraction: 0.2}}
model: {{name: regressor, hidden: 2}}
task: {{loss: mean_squared_error, metrics: [mean_absolute_error]}}
client: {{optimizer: {{name: sgd, learning_rate: 0.1}}, epochs: 1, batch_size: 64}}
"""
CORRELATED = [
    "cohort={name: min-separation, separation: 2}",
    "strategy={name: dp-banded, clip_norm: 0.5, noise_multiplier: 1.0, bands: 2, delta: 1.0e-3}",
]
TOGETHER = [
    "strategy={name: dp-distributed, clip_norm: 1.0, contributors: 3, noise_multiplier: 2.1, delta: 1.0e-3, bits: 12}",
    "encryption={name: shared-key, keep_keys: true}",
    "proofs={name: norm-bound}",
]
SAME_NOISE = "privacy.reproducible_noise=true"
CONFIGS = {
    "plain": ["strategy={name: fedavgm, beta: 0.5}", "average={decay: 0.9}"],
    "scaffold": ["strategy={name: scaffold}", "cohort={name: uniform, size: 2}"],
    "every-second": ["checkpoint.every=2", "strategy={name: fedavgm, beta: 0.5}"],
    "large": ["strategy={name: fedavgm, beta: 0.5}"],
    "correlated": [*CORRELATED, SAME_NOISE],
    "correlated-once": CORRELATED,
    "together": [*TOGETHER, SAME_NOISE],
    "together-once": TOGETHER,
}
LATER = ("every-second", "large")
"""Configs with at most one round that was reported as finished, and whose checkpoint is not durable yet."""
THRESHOLDS = {"large": 0}
"""Bytes from which a checkpoint is written by a thread, where it is not fedcli's own number."""
MODES = ("killed", "torn", "power", "names", "full", "error")
PROBLEMS = ("mismatch", "not resumable", "trained again", "released twice", "unexplained")


@dataclass
class Heard:
    """What a process said and did before it ended."""

    finished: list[int] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    # Numbers of changes made by then.
    finished_at: list[int] = field(default_factory=list)
    released_at: list[int] = field(default_factory=list)

    def until(self, number: int) -> Heard:
        """What was said and done before the change of this number."""
        return Heard(
            [round for round, at in zip(self.finished, self.finished_at, strict=True) if at <= number],
            [round for round, at in zip(self.released, self.released_at, strict=True) if at <= number],
        )


class Whole(NamedTuple):
    """A run that nothing interrupts: its config, its changes of the file system, and what is left of it."""

    name: str
    source: Any
    folder: Path
    changes: list[faults.Change]
    heard: Heard
    left: dict[str, str]


class Point(NamedTuple):
    """One interruption: after or in the change of this number, or on a disk with room for so many bytes."""

    config: str
    mode: str
    at: int

    def __str__(self) -> str:
        return f"{self.config}, {self.mode} at {self.at}"


@contextlib.contextmanager
def disk_of_the_process(disk: faults.FaultyDisk) -> Iterator[None]:
    """Every change that any part of fedcli makes is one of this disk, which makes it on the real one."""
    inside = threading.local()

    def through(name: str) -> Callable[..., None]:
        real, faulty = getattr(LocalDisk, name), getattr(disk, name)

        def change(self: LocalDisk, *args: Any, **settings: Any) -> None:
            if getattr(inside, "asked", False):
                real(self, *args, **settings)
                return
            inside.asked = True
            try:
                faulty(*args, **settings)
            finally:
                inside.asked = False

        return change

    names = [name for name in vars(LocalDisk) if not name.startswith("_")]
    with patch.multiple(LocalDisk, **{name: through(name) for name in names}):
        yield


def go(source: Any, folder: Path, *, disk: faults.FaultyDisk, heard: Heard) -> None:
    """Start a run, or go on with what there is of it, as `fedcli run` does, and note in `heard` what it did."""
    from fedcli.runs.lifecycle import Progress, resume_run, start_run
    from fedcli.runs.outcome import with_outcome
    from fedcli.store.run_store import RunStore

    charge = RunStore.charge

    def finished(record: dict[str, Any]) -> None:
        heard.finished.append(record["round"])
        heard.finished_at.append(len(disk.changes))

    def charged(store: RunStore, round: int) -> None:
        charge(store, round)
        # What follows in the engine is the release.
        heard.released.append(round)
        heard.released_at.append(len(disk.changes))

    begin = partial(resume_run, folder) if folder.exists() else partial(start_run, source, folder)
    progress = Progress(round_end=finished, warn=lambda _sentence: None)
    with disk_of_the_process(disk), patch.object(RunStore, "charge", charged):
        with_outcome(begin, progress)


def whole_run(name: str, place: Path) -> Whole:
    """Run a config on a disk that counts."""
    from fedcli import config

    source, folder, disk = (
        config.loads(BASE, f"{name}.yaml", CONFIGS[name]),
        place / "whole",
        faults.recording(),
    )
    heard = Heard()
    folder.mkdir(parents=True)
    go(source, folder / "run", disk=disk, heard=heard)
    require_verified(folder / "run")
    return Whole(name, source, folder, disk.changes, heard, left_in(folder / "run"))


def require_verified(run: Path) -> None:
    """Refuse a run in which `verify` finds a failure."""
    from fedcli.runs.verification import verify_run

    report = verify_run(run)
    if not report.holds:
        raise AssertionError(f"verify: {report.failures[0].file}: {report.failures[0].sentence}")


def left_in(run: Path) -> dict[str, str]:
    """Every name in a run directory, with its rights and a digest of what must be the same in another process."""
    found = {}
    for path in sorted(run.rglob("*")):
        name, said = path.relative_to(run).as_posix(), b""
        if name in directory.LOGS:
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            said = json.dumps(
                [{key: row[key] for key in row if not _is_of_the_process(key)} for row in rows]
            ).encode()
        elif path.name == directory.PRIVACY:
            # It names the run and its time.
            said = json.dumps(json.loads(path.read_text()) | {"run": None}).encode()
        # Others are of keys that are drawn for each run, or say when it ran.
        elif path.suffix == ".npz" and not name.startswith(("secret/keys", "proofs/")):
            said = path.read_bytes()
        found[name] = f"{stat.S_IMODE(path.stat().st_mode):o} {sha256(said).hexdigest()}"
    return found


def committed_in(run: Path) -> dict[str, bytes]:
    """The digest of every file of every whole checkpoint."""
    places = [directory.checkpoint_folder(run, round) for round in directory.finished_rounds(run)]
    return {
        path.relative_to(run).as_posix(): sha256(path.read_bytes()).digest()
        for place in places
        for path in sorted(place.iterdir())
    }


def _is_of_the_process(column: str) -> bool:
    return "seconds" in column


def interrupted(whole: Whole, point: Point, folder: Path) -> Heard:
    """Leave in `folder` what an interruption leaves, and say what the process did before."""
    if point.mode in ("power", "names"):
        changes = whole.changes[: point.at]
        faults.after_power_cut(changes, whole.folder, folder, keeps_names=point.mode == "names")
        return whole.heard.until(point.at)
    modes = {"killed": faults.dead, "torn": faults.torn, "full": faults.full, "error": faults.broken}
    heard = Heard()
    # An error of the disk that is not told in a sentence is one of the problems.
    with contextlib.suppress(faults.Died, FedcliError):
        go(whole.source, folder / "run", disk=modes[point.mode](point.at), heard=heard)
    return heard


def problem_of(whole: Whole, point: Point, folder: Path) -> tuple[str, str] | None:
    """Interrupt a run and resume it; what was wrong, as one of `PROBLEMS` and its details."""
    folder.mkdir()
    try:
        before = interrupted(whole, point, folder)
    except Exception as error:  # noqa: BLE001 - an error of the disk is to be explained to the user
        return "unexplained", repr(error)
    run = folder / "run"
    before_it = committed_in(run) if run.exists() else {}
    try:
        if durable := directory.finished_rounds(run):
            require_verified(run)
        go(whole.source, run, disk=faults.recording(), heard=(after := Heard()))
        require_verified(run)
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return "not resumable", repr(error)
    again = {*before.finished} & {*after.finished}
    if whole.name in LATER:
        again -= {*before.finished[-1:]} - {*durable}
    if again:
        return "trained again", f"rounds {sorted(again)}"
    is_once = whole.name.endswith("-once")
    if is_once and (again := {*before.released} & {*after.released}):
        return "released twice", f"rounds {sorted(again)}"
    after_it, left = committed_in(run), left_in(run)
    wrong = [name for name in before_it if after_it.get(name) != before_it[name]]
    names = {*left} | {*whole.left}
    if is_once:
        # Other noise makes other models, and a void round has no evidence and no states of clients.
        names = {name for name in names if not name.startswith(("proofs/", "clients/"))}
        wrong += [
            name for name in names if left.get(name, "").split()[:1] != whole.left.get(name, "").split()[:1]
        ]
    else:
        wrong += [name for name in names if left.get(name) != whole.left.get(name)]
    return ("mismatch", ", ".join(sorted(wrong))) if wrong else None


def points_of(whole: Whole, mode: str) -> list[Point]:
    """All points at which a run can be interrupted in this mode."""
    if mode == "full":
        sizes = np.cumsum([len(change.content) for change in whole.changes if change.content])
        return [Point(whole.name, mode, int(room) - 1) for room in sizes]
    first = 0 if mode in ("power", "names") else 1
    return [Point(whole.name, mode, number) for number in range(first, len(whole.changes) + 1)]


def interrupt(
    names: list[str],
    modes: list[str],
    *,
    sample: int | None = None,
    seed: int = 0,
    watch: Callable[[str], None] = lambda _line: None,
) -> dict[str, Any]:
    """Interrupt runs of these configs and count what became of them.

    Args:
        names: of `CONFIGS`.
        modes: of `MODES`.
        sample: how many points of each config and mode, drawn by `seed`; all of them if it is None.
        seed: of the sample.
        watch: receives a line for each config and mode, and for each problem.
    """
    rng = np.random.Generator(np.random.Philox(seed))
    rows: list[dict[str, Any]] = []
    shown: list[str] = []
    with tempfile.TemporaryDirectory() as place, warm(), _without_drawing():
        for name in names:
            threshold = THRESHOLDS.get(name, writer_thread.LARGE)
            with patch.object(writer_thread, "LARGE", threshold):
                whole = whole_run(name, Path(place) / name)
                for mode in modes:
                    points = points_of(whole, mode)
                    if sample is not None:
                        chosen = rng.choice(len(points), min(sample, len(points)), replace=False)
                        points = [points[index] for index in sorted(chosen)]
                    counts: Counter[str] = Counter()
                    for point in points:
                        folder = Path(place) / name / f"{mode}-{point.at}"
                        if problem := problem_of(whole, point, folder):
                            kind, details = problem
                            counts[kind] += 1
                            shown.append(f"{point}: {kind}: {details}")
                            watch(shown[-1])
                        shutil.rmtree(folder)
                    rows.append(
                        {"config": name, "mode": mode, "points": len(points)}
                        | {problem: counts[problem] for problem in PROBLEMS}
                    )
                    watch("  ".join(f"{value}" for value in rows[-1].values()))
    return {"rows": rows, "points": sum(row["points"] for row in rows), "shown": shown}


@contextlib.contextmanager
def _without_drawing() -> Iterator[None]:
    """The picture is written as any other file, but is not drawn: that would take most of the time."""
    from fedcli.runs import outcome

    with patch.object(outcome, "curves", lambda _records, _title: b"picture" * 100):
        yield


def table(found: dict[str, Any]) -> str:
    """The counts as a Markdown table."""
    names = ("config", "mode", "points", *PROBLEMS)
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    lines += [f"| {' | '.join(str(row[name]) for name in names)} |" for row in found["rows"]]
    total = [str(sum(row[name] for row in found["rows"])) for name in names[2:]]
    return "\n".join([*lines, f"| all | | {' | '.join(total)} |"])


def main() -> None:
    """Interrupt and print; exits with 1 after any problem."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--configs", nargs="+", choices=list(CONFIGS), default=list(CONFIGS))
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--sample", type=int, help="points of each config and mode; all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    begun = time.monotonic()
    found = interrupt(
        arguments.configs,
        arguments.modes,
        sample=arguments.sample,
        seed=arguments.seed,
        watch=partial(print, file=sys.stderr, flush=True),
    )
    found["seconds"] = round(time.monotonic() - begun)
    print(json.dumps(found, indent=1) if arguments.json else table(found))
    sys.exit(bool(found["shown"]))


if __name__ == "__main__":
    main()
