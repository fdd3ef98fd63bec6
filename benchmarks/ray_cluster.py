"""The executor ray: its time against threads and against the simulation of a cluster, and the bytes of a round.

    python benchmarks/ray_cluster.py [--model cnn] [--clients 64] [--workers 1 2 4] [--runs 3] [--cohort 320] [--json]

Needs real Fashion-MNIST (apt-get install dataset-fashion-mnist) and Ray (pip install 'fedcli[ray]'). Rounds of threads
and ray alternate on the same clients. `benchmarks/simulated_cluster.py` is the simulation. It receives a client's time
with one worker of threads and the driver's time for a message without work, and no round of ray.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.clients import MODELS, experiment
from benchmarks.simulated_cluster import Cluster, measured_message_seconds, projection, simulated


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of rounds of threads and ray in turn, and the bytes of a round of ray with sums and without."""
    from fedcli import config
    from fedcli.components.executors import EXECUTORS
    from fedcli.core.machine import available_cores
    from fedcli.engine.round import run_round
    from fedcli.experiment.assemble import assemble, with_strategy
    from fedcli.experiment.plan import plan
    from fedcli.testing.changes import changed

    def parts_of(clients: int) -> Any:
        text = experiment(arguments.model, population=clients)
        return assemble(plan(config.loads(text, "benchmark").experiment))

    def seconds(parts: Any, state: Any) -> float:
        begun = time.perf_counter()
        run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
        return time.perf_counter() - begun

    parts, state = parts_of(arguments.clients)
    facts: dict[str, Any] = {"model": arguments.model, "parameters": int(state.weights.size), "workers": {}}
    for workers in arguments.workers:
        both = {name: EXECUTORS[name](workers=workers) for name in ("threads", "ray")}
        message_seconds = measured_message_seconds(both["ray"])
        pairs: list[tuple[float, float]] = []
        for run in range(arguments.runs + 1):
            taken = [seconds(changed(parts, executor=each), state) for each in both.values()]
            if run:
                pairs.append((taken[0], taken[1]))
            print(
                f"{workers} workers: threads {taken[0]:.2f} s, ray {taken[1]:.2f} s",
                file=sys.stderr,
                flush=True,
            )
        for each in both.values():
            each.close()
        facts["workers"][workers] = {
            "threads": statistics.median(first for first, _ in pairs),
            "ray": statistics.median(second for _, second in pairs),
            "ratio": statistics.median(second / first for first, second in pairs),
            "message_seconds": message_seconds,
        }
    parts.executor.close()
    one = facts["workers"].get(1)
    if one is not None:
        facts["client_seconds"] = one["threads"] / arguments.clients
        for workers, found in facts["workers"].items():
            local = Cluster(1, workers, facts["parameters"], facts["client_seconds"], available_cores(),
                            message_seconds=found["message_seconds"])  # fmt: skip
            found["simulated"] = simulated(local, arguments.clients, sums=True).seconds
    if arguments.cohort:
        parts, state = parts_of(arguments.cohort)
        executor = EXECUTORS["ray"](workers=2)
        single = parts.strategy._replace(aggregator=parts.strategy.aggregator._replace(takes_sums=False))
        for name, each in (("summed", parts), ("single", with_strategy(parts, single))):
            before = executor.traffic
            seconds(changed(each, executor=executor), state)
            sent, received = (now - was for now, was in zip(executor.traffic, before, strict=True))
            facts[name] = {"sent": sent, "received": received}
        executor.close()
        parts.executor.close()
    return facts


def main() -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(
        description="Ray against threads and a simulation, and the bytes of a round."
    )
    parser.add_argument("--model", choices=MODELS, default="cnn", help="which model")
    parser.add_argument("--clients", type=int, default=64, help="clients in a timed round")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="numbers of workers")
    parser.add_argument("--runs", type=int, default=3, help="pairs of rounds, after one to warm up")
    parser.add_argument("--cohort", type=int, default=320, help="clients in the round of counted bytes, or 0")
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")
    arguments = parser.parse_args()
    facts = measure(arguments)
    if arguments.json:
        print(json.dumps(facts, indent=2))
        return 0
    names = ("workers", "threads s", "ray s", "ray / threads", "simulated s", "driver ms a message")
    print(f"| {' | '.join(names)} |", "|---" * len(names) + "|", sep="\n")
    for workers, found in facts["workers"].items():
        seconds = f"{found['simulated']:.2f}" if "simulated" in found else ""
        cells = (str(workers), *(f"{found[name]:.2f}" for name in ("threads", "ray", "ratio")), seconds,
                 f"{1000 * found['message_seconds']:.2f}")  # fmt: skip
        print(f"| {' | '.join(cells)} |")
    for name in ("summed", "single"):
        if name in facts:
            print(f"{name}: {facts[name]['sent']:,} bytes sent, {facts[name]['received']:,} received")
    if "client_seconds" in facts:
        print("\n".join(projection(facts["parameters"], facts["client_seconds"])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
