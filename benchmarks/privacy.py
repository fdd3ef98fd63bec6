"""What privacy costs in time: `dp-clipped` over `mean` per client, and samples of exact noise.

    python benchmarks/privacy.py [--model cnn] [--runs 5] [--clients 100] [--json]

Both strategies run on the same clients of 600 Fashion-MNIST images, a process each, a round in turn A B A B after one
that warms up; the overhead is the median over the pairs of (dp-clipped - mean) / mean, evaluation left out. The
exact discrete Gaussian is timed per million samples beside NumPy's floating-point one. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import secrets
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks import clients
from benchmarks.bare_loop import IMAGES
from benchmarks.figures import Figure, unmeasured
from benchmarks.paired_rounds import seconds_in_turn
from fedcli.crypto.discrete_gaussian import discrete_gaussian, grid_variance

EXPERIMENT = """
seed: 1
rounds: 100000
data:
  name: fashion_mnist
  partition: {{name: iid, clients: 100}}
  validation_fraction: 0.0
model: {{name: {model}}}
client: {{batch_size: 10}}
cohort: {{name: uniform, size: {clients}}}
evaluation: {{every: 100000}}
"""
STRATEGIES = {
    "mean": "strategy=mean",
    "dp-clipped": "strategy={name: dp-clipped, clip_norm: 0.001, noise_multiplier: 1.0, delta: 1.0e-4}",
}
SAMPLES = 1_000_000
DEVIATIONS = (2.0, 1000.0, 1e6)


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="cnn", help="a built-in model (default: cnn)")
    parser.add_argument("--runs", type=int, default=5, help="pairs of rounds (default: 5)")
    parser.add_argument(
        "--clients", type=int, default=100, help="clients in a round, at most 100 (default: 100)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    overhead = clip_overhead(arguments.model, arguments.clients, arguments.runs)
    facts = {"overhead": overhead, "samplers": [sampler(deviation) for deviation in DEVIATIONS]}
    if arguments.json:
        json.dump(facts, sys.stdout, indent=1)
        print()
    else:
        _print(facts)


def clip_overhead(model: str, clients: int, runs: int) -> dict[str, Any]:
    """Milliseconds per client of both strategies, and the relative overhead of each pair."""
    text = EXPERIMENT.format(model=model, clients=clients)
    sides = {name: [strategy] for name, strategy in STRATEGIES.items()}
    seconds = seconds_in_turn(text, sides, runs=runs)
    pairs = list(zip(seconds["mean"], seconds["dp-clipped"], strict=True))
    shares = [(private - plain) / plain for plain, private in pairs]
    return {
        "model": model,
        "clients": clients,
        "pairs": runs,
        **{name: 1000 * statistics.median(spent) / clients for name, spent in seconds.items()},
        "share": statistics.median(shares),
        "least": min(shares),
        "most": max(shares),
    }


def figures(*, quick: bool) -> Iterator[Figure]:
    """The time of `dp-clipped` as a multiple of `mean`, and of exact noise as a multiple of floating-point noise."""
    what = "a round of `dp-clipped` against `mean`, cnn"
    if IMAGES.is_dir():
        of = clip_overhead("cnn", 2, 1) if quick else clip_overhead("cnn", 100, 5)
        note = (
            f"{of['dp-clipped']:.1f} against {of['mean']:.1f} ms a client; {1 + of['least']:.3f} to "
            f"{1 + of['most']:.3f} in {of['pairs']} pairs"
        )
        yield Figure(what, 1 + of["share"], "times", note=note)
    else:
        yield unmeasured(what, "times", clients.NO_IMAGES)
    for row in map(sampler, DEVIATIONS[:1] if quick else DEVIATIONS):
        note = f"{row['exact']:.2f} against {row['floating']:.3f} s for a million samples"
        what = f"exact noise of deviation {row['deviation']:g} against floating-point noise"
        yield Figure(what, row["exact"] / row["floating"], "times", note=note)


def sampler(deviation: float) -> dict[str, float]:
    """Seconds for a million samples of exact and of floating-point Gaussian noise, the best of three."""
    variance, key = grid_variance(deviation), secrets.token_bytes(32)
    rng = np.random.default_rng(1)
    exact = _best(lambda: discrete_gaussian(SAMPLES, variance=variance, key=key))
    floating = _best(lambda: rng.normal(0, deviation, SAMPLES))
    return {"deviation": deviation, "exact": exact, "floating": floating}


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


def _print(facts: dict[str, Any]) -> None:
    of = facts["overhead"]
    print(f"{of['model']}, {of['clients']} clients a round, {of['pairs']} pairs of rounds\n")
    print("| strategy | ms per client | overhead, median (least to most) |\n|---|---|---|")
    print(f"| mean | {of['mean']:.2f} | |")
    spread = f"{of['least']:+.1%} to {of['most']:+.1%}"
    print(f"| dp-clipped | {of['dp-clipped']:.2f} | {of['share']:+.1%} ({spread}) |\n")
    print("| deviation, in steps | exact, s per million | floating point, s per million |\n|---|---|---|")
    for row in facts["samplers"]:
        print(f"| {row['deviation']:g} | {row['exact']:.2f} | {row['floating']:.3f} |")


if __name__ == "__main__":
    main()
