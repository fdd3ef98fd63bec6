"""What privacy costs in time: `dp-clipped` over `mean` per client, and samples of exact noise.

    python benchmarks/privacy.py [--model cnn] [--runs 5] [--clients 100] [--json]

Both strategies run in one process, on the same clients of 600 Fashion-MNIST images, a round each in turn A B A B after
one that warms up; the overhead is the median over the pairs of (dp-clipped - mean) / mean, evaluation left out. The
exact discrete Gaussian is timed per million samples beside NumPy's floating-point one. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from fedcli import config
from fedcli.cli.output import quiet_imports
from fedcli.core.rounds import RoundState
from fedcli.crypto.discrete_gaussian import discrete_gaussian, grid_variance
from fedcli.engine.round import run_round
from fedcli.engine.setup import Assembly
from fedcli.experiment.assemble import assemble
from fedcli.experiment.plan import plan

EXPERIMENT = """
seed: 1
rounds: 1000000
data:
  name: fashion_mnist
  partition: {{name: iid, clients: 100}}
  validation_fraction: 0.0
model: {{name: {model}}}
client: {{batch_size: 10}}
cohort: {{name: uniform, size: {clients}}}
evaluation: {{every: 1000000}}
"""
STRATEGIES = {
    "mean": "strategy=mean",
    "dp-clipped": "strategy={name: dp-clipped, clip_norm: 1.0, noise_multiplier: 1.0, delta: 1.0e-4}",
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
    with quiet_imports():
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
    sides = {
        name: assemble(plan(config.loads(text, overrides=[strategy]).experiment))
        for name, strategy in STRATEGIES.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    states = {name: state for name, (_, state) in sides.items()}
    for _ in range(runs + 1):
        for name, (assembly, _) in sides.items():
            states[name], spent = timed_round(assembly, states[name])
            seconds[name].append(spent)
    for assembly, _ in sides.values():
        assembly.executor.close()
    pairs = list(zip(seconds["mean"][1:], seconds["dp-clipped"][1:], strict=True))
    shares = [(private - plain) / plain for plain, private in pairs]
    return {
        "model": model,
        "clients": clients,
        "pairs": runs,
        **{name: 1000 * statistics.median(spent[1:]) / clients for name, spent in seconds.items()},
        "share": statistics.median(shares),
        "least": min(shares),
        "most": max(shares),
    }


def timed_round(assembly: Assembly, state: RoundState) -> tuple[RoundState, float]:
    """The state after a round, and its seconds without evaluation."""
    after, record, _ = run_round(assembly, state, lambda _round: None, lambda *_done: None)
    return after, record["seconds/total"]


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
