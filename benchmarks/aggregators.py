"""Every aggregator beside a plain copy of the same updates: how fast it reads memory.

    python benchmarks/aggregators.py [--clients 20] [--weights 1000000] [--runs 5] [--quick]

The updates of a cohort are there before the clock starts. A rule has to read each of them once; the yardstick is one
`numpy.copyto` of all of them, a client at a time. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks.figures import Figure, unmeasured
from fedcli.components.aggregators import AGGREGATORS
from fedcli.core.contracts import Aggregator
from fedcli.testing.laws import updates_of

CLIENTS, WEIGHTS = 20, 1_000_000

# A fifth of the cohort may be malicious: 4 of 20, which is the most that bulyan supports.
PARAMETERS: dict[str, dict[str, Any]] = {
    "mean": {},
    "discounted-mean": {},
    "median": {},
    "trimmed-mean": {"trim": 0.2},
    "krum": {"num_byzantine": 4},
    "multi-krum": {"num_byzantine": 4},
    "bulyan": {"num_byzantine": 4},
    "geometric-median": {},
    "centered-clipping": {},
    "norm-bounding": {"clip_norm": 1000.0},
    "sign-guard": {},
    "dnc": {"num_byzantine": 4},
}


class Reading(NamedTuple):
    """An aggregator beside the copy: seconds of both, medians, and the bytes of the updates."""

    aggregator: str
    seconds: float
    copy_seconds: float
    num_bytes: int

    @property
    def times(self) -> float:
        """How many times as long as the copy."""
        return self.seconds / self.copy_seconds

    @property
    def note(self) -> str:
        """Gigabytes of updates read in a second, of both."""
        ours, copied = (self.num_bytes / spent / 1e9 for spent in (self.seconds, self.copy_seconds))
        return f"{ours:.2f} against {copied:.2f} GB/s"


def measure(name: str, rows: Any, runs: int) -> Reading:
    """Time a rule and the copy in turn, on updates of shape [K, P]."""
    rule: Aggregator = AGGREGATORS[name](**PARAMETERS[name])
    size, target = rows.shape[1], np.empty_like(rows)
    state = rule.init(size)

    def copy() -> None:
        for source, place in zip(rows, target, strict=True):
            np.copyto(place, source)

    pairs = []
    for _ in range(runs + 1):
        # Made anew, since a rule may drop each update once it has read it.
        updates = updates_of(rows)
        pairs.append((_spent(lambda: rule.aggregate(iter(updates), size, state)), _spent(copy)))  # noqa: B023
    ours, copied = (statistics.median(side) for side in zip(*pairs[1:], strict=True))
    return Reading(name, ours, copied, rows.nbytes)


def figures(*, quick: bool) -> Iterator[Figure]:
    """Each aggregator's time as a multiple of the copy's."""
    rows = updates(CLIENTS, 10_000 if quick else WEIGHTS)
    for name in AGGREGATORS:
        what = f"{name}, {CLIENTS} updates of {rows.shape[1]:,} weights, against a copy"
        if name not in PARAMETERS:
            yield unmeasured(what, "times", "benchmarks/aggregators.py has no parameters for it")
            continue
        reading = measure(name, rows, 1 if quick else 5)
        yield Figure(what, reading.times, "times", note=reading.note)


def updates(num_clients: int, num_weights: int) -> Any:
    """Normal updates, float32 of shape [K, P]."""
    return np.random.default_rng(1).standard_normal((num_clients, num_weights), np.float32)


def _spent(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> int:
    """Print each rule as soon as it is known."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--clients", type=int, default=CLIENTS, help=f"updates, at least {CLIENTS}")
    parser.add_argument("--weights", type=int, default=WEIGHTS, help="of a model (default 1,000,000)")
    parser.add_argument("--runs", type=int, default=5, help="of which the median is taken (default 5)")
    parser.add_argument("--quick", action="store_true", help="10,000 weights, one run: alive, not how fast")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.weights, arguments.runs = 10_000, 1
    if arguments.clients < CLIENTS or min(arguments.weights, arguments.runs) < 1:
        parser.error(f"--clients is at least {CLIENTS}, --weights and --runs at least 1")
    rows = updates(arguments.clients, arguments.weights)
    for name in PARAMETERS:
        reading = measure(name, rows, arguments.runs)
        print(f"{name:<18}{reading.times:>8.1f} times a copy   {reading.note}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
