"""Seconds from `fedcli run` to the first finished round of the quickstart, beside the import of TensorFlow.

    python benchmarks/start_up.py [--runs 5]

Both in turn, each in a process of its own. A round is finished when its line is in metrics.jsonl. The machine's cache
of files is warm, since the first pair is not counted. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure
from fedcli.core.errors import FedcliError

ROOT = Path(__file__).parents[1]
QUICKSTART = ROOT / "configs" / "quickstart.yaml"
LONGEST_SECONDS = 300


def seconds_to_first_round(folder: Path) -> float:
    """From the start of the process to the first line of metrics.jsonl in the run directory `folder`.

    Raises:
        FedcliError: if the run ends without a round, or takes five minutes.
    """
    command = [sys.executable, "-m", "fedcli", "run", str(QUICKSTART), "--run-dir", str(folder)]
    begun = time.perf_counter()
    with subprocess.Popen(
        command, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as run:
        seconds = None
        while seconds is None and run.poll() is None and time.perf_counter() - begun < LONGEST_SECONDS:
            time.sleep(0.005)
            log = folder / "metrics.jsonl"
            if log.is_file() and log.stat().st_size:
                seconds = time.perf_counter() - begun
        if seconds is None:
            run.kill()
        _, said = run.communicate()
    if seconds is None:
        raise FedcliError(f"`fedcli run` finished no round; it says: {said.decode().strip() or 'nothing'}")
    return seconds


def seconds_to_import() -> float:
    """A process that imports TensorFlow and ends."""
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "import tensorflow"], env=_environment(), capture_output=True, check=True
    )
    return time.perf_counter() - begun


def measure(runs: int) -> list[tuple[float, float]]:
    """Seconds to the first round and to import TensorFlow, `runs` pairs after one that warms up."""
    pairs = []
    with tempfile.TemporaryDirectory(prefix="fedcli-start-") as scratch:
        for number in range(runs + 1):
            pairs.append((seconds_to_first_round(Path(scratch) / f"run-{number}"), seconds_to_import()))
    return pairs[1:]


def figures(*, quick: bool) -> Iterator[Figure]:
    """How much longer the first round takes than the import."""
    pairs = measure(1 if quick else 5)
    more = [first - imported for first, imported in pairs]
    first, imported = (statistics.median(side) for side in zip(*pairs, strict=True))
    note = f"{first:.2f} against {imported:.2f} s; {min(more):.2f} to {max(more):.2f} s in {len(pairs)} pairs"
    what = "`fedcli run` to the first round of the quickstart, beyond the import of TensorFlow"
    yield Figure(what, statistics.median(more), "s", most=1.5, note=note)


def _environment() -> dict[str, str]:
    return os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}


def main() -> int:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=5, help="pairs, of which the median is taken (default 5)")
    for first, imported in measure(max(1, parser.parse_args().runs)):
        print(f"first round {first:.2f} s, TensorFlow {imported:.2f} s, {first - imported:+.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
