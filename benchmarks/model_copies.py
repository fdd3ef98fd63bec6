"""How many copies of a large model a run has in memory at once, where, and whether a checkpoint delays a round.

    python benchmarks/model_copies.py                 # 73.6 million weights, 4 clients, 2 workers; about two minutes
    python benchmarks/model_copies.py --width 2048    # 5.8 million weights: seconds
    python benchmarks/model_copies.py --json

A copy is the model's weights in float32. The peak is that of the whole process, so TensorFlow itself, some 0.9 GB, is
in it. Every second round has a checkpoint: its time counts until the round after it is committed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks.figures import Figure, unmeasured

INPUTS, CLASSES = 784, 10
_PAGE = os.sysconf("SC_PAGE_SIZE")


@final
class Watcher:
    """Samples the resident memory of this process, and remembers the peak of each place in fedcli."""

    def __init__(self) -> None:
        self.peaks: dict[str, int] = {}
        self._main = threading.main_thread().ident
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
            place = self._place()
            self.peaks[place] = max(resident, self.peaks.get(place, 0))

    def _place(self) -> str:
        frame = sys._current_frames().get(self._main or 0)
        while frame is not None:
            if "/fedcli/" in frame.f_code.co_filename:
                return f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}:{frame.f_lineno}"
            frame = frame.f_back
        return "outside"


def measured(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Peak in copies, and seconds of rounds with and without a checkpoint."""
    rng = np.random.default_rng(1)
    examples = arguments.clients * arguments.examples
    np.savez(
        folder / "data.npz",
        x_train=rng.standard_normal((examples, INPUTS)).astype(np.float32),
        y_train=rng.integers(0, CLASSES, examples),
        x_test=rng.standard_normal((100, INPUTS)).astype(np.float32),
        y_test=rng.integers(0, CLASSES, 100),
    )
    from fedcli import config
    from fedcli.runs.lifecycle import Progress, start_run
    from fedcli.store.writer_thread import LARGE

    source = config.loads(
        f"""
name: copies
rounds: {arguments.rounds}
data:
  name: npz
  path: {folder / "data.npz"}
  classes: {CLASSES}
  partition: {{name: iid, clients: {arguments.clients}}}
  validation_fraction: 0.0
model: {{name: mlp, hidden: [{arguments.width}, {arguments.width}]}}
cohort: {{name: full}}
executor: {{name: threads, workers: {arguments.workers}}}
strategy: {arguments.strategy}
checkpoint: {{every: 2, keep_last: 1}}
"""
    )
    ends: list[float] = []
    progress = Progress(round_end=lambda _record: ends.append(time.perf_counter()))
    with Watcher() as watcher:
        result = start_run(source, folder / "run", progress=progress)
    size = result.state.weights.nbytes
    # The first gap is round 2. A large checkpoint of an even round is written while the odd one after it runs.
    gaps = np.diff(ends)
    even, odd = gaps[0::2], gaps[1::2]
    with_one, without = (odd, even) if size >= LARGE else (even, odd)
    by_place = sorted(watcher.peaks.items(), key=lambda pair: -pair[1])
    return {
        "weights": result.state.weights.size,
        "copies": max(watcher.peaks.values()) / size,
        "copies_by_place": {place: round(peak / size, 2) for place, peak in by_place[:12]},
        # The first round compiles.
        "seconds_without_checkpoint": statistics.median(without) if len(without) else None,
        "seconds_with_checkpoint": statistics.median(with_one[1:]) if len(with_one) > 1 else None,
        "rounds": gaps.round(2).tolist(),
    }


def figures(*, quick: bool) -> Iterator[Figure]:
    """Peak memory in copies of the model, and the time of a round with a checkpoint."""
    if not Path("/proc/self/statm").is_file():
        yield unmeasured("peak memory of a large model", "copies", "only Linux tells a process its memory")
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measured(parse(["--width", "1024"] if quick else []), Path(folder))
    what = f"a model of {found['weights'] / 1e6:.1f} million weights, 4 clients, 2 workers"
    # In a smaller model TensorFlow itself is many copies.
    yield Figure(f"{what}: peak", found["copies"], "copies", most=None if quick else 12.0)
    without, with_one = found["seconds_without_checkpoint"], found["seconds_with_checkpoint"]
    note = f"{with_one:.2f} against {without:.2f} s"
    yield Figure(f"{what}: a round with a checkpoint", with_one / without, "times", most=1.1, note=note)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--width", type=int, default=8192, help="units of each of the two hidden layers")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--examples", type=int, default=320, help="of each client")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--strategy", default="fedavg")
    parser.add_argument("--json", action="store_true", help="print the facts as JSON on stdout")
    return parser.parse_args(words)


def main() -> None:
    """Measure, and print."""
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(arguments, Path(folder))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
