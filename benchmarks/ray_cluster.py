"""The executor ray: its time against threads, the bytes of a round, and the arithmetic of larger clusters.

    python benchmarks/ray_cluster.py [--model cnn] [--clients 32] [--workers 1 2 4] [--runs 3] [--cohort 320] [--json]
    python benchmarks/ray_cluster.py --arithmetic-only [--client-seconds 0.3] [--parameters 1663370]

Needs real Fashion-MNIST (apt-get install dataset-fashion-mnist) and Ray (pip install 'fedcli[ray]'), except with
--arithmetic-only. Rounds of threads and ray alternate on the same clients. `docs/scale.md` explains the arithmetic.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.clients import MODELS, experiment
from fedcli.components.executors.dispatch import in_blocks
from fedcli.core.sums import BLOCK


class Cluster(NamedTuple):
    """What the arithmetic of a round depends on.

    Args:
        nodes: machines, of which one is the driver's as well.
        workers: clients that train at the same time on a node.
        parameters: weights of the model, 4 bytes each.
        client_seconds: one client's training on one worker.
        bytes_per_second: of the driver's network link, in each direction.
        adds_per_second: values that the driver adds in a second.
    """

    nodes: int
    workers: int
    parameters: int
    client_seconds: float
    bytes_per_second: float = 10e9 / 8
    adds_per_second: float = 1e9


def arithmetic(cluster: Cluster, cohort: int, *, sums: bool) -> dict[str, float | str]:
    """Seconds and bytes of a round, and what takes the longest: training, the link or the driver's sum."""
    workers, clients = cluster.nodes * cluster.workers, range(cohort)
    blocks = [clients[first : first + BLOCK] for first in range(0, cohort, BLOCK)]
    folded = sum(piece.folds for piece in in_blocks(blocks, workers)) if sums else 0
    single = sum(map(len, blocks[folded:]))
    # Blocks in waves, and then the items one by one.
    waves = math.ceil(folded / workers) * min(BLOCK, cohort)
    train = (waves + math.ceil(single / workers)) * cluster.client_seconds
    received = folded * 8 * cluster.parameters + single * 4 * cluster.parameters
    # All other nodes read the model from the driver's, in the worst case.
    sent = 4 * cluster.parameters * (cluster.nodes - 1)
    remote = (cluster.nodes - 1) / cluster.nodes
    link = received * remote / cluster.bytes_per_second
    add = (folded + single) * cluster.parameters / cluster.adds_per_second
    parts = {"training": train, "the driver's link": link, "the driver's sum": add}
    first = max(parts, key=lambda name: parts[name])
    seconds = sent / cluster.bytes_per_second + parts[first]
    return {"seconds": seconds, "train": train, "link": link, "add": add, "received": received, "sent": sent,
            "first": first}  # fmt: skip


def projection(parameters: int, client_seconds: float) -> list[str]:
    """The table of larger clusters, as Markdown."""
    rows = [
        "| nodes x 8 workers | cohort | summed | received | seconds | first to saturate |",
        "|---" * 6 + "|",
    ]
    for nodes, cohort in ((10, 320), (10, 10_000), (100, 10_000), (1000, 10_000), (1000, 100_000)):
        for sums in (True, False):
            found = arithmetic(Cluster(nodes, 8, parameters, client_seconds), cohort, sums=sums)
            cells = (f"{nodes:,}", f"{cohort:,}", "yes" if sums else "no", f"{found['received'] / 1e9:.1f} GB",
                     f"{found['seconds']:.1f}", str(found["first"]))  # fmt: skip
            rows.append(f"| {' | '.join(cells)} |")
    return rows


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
        }
    parts.executor.close()
    one = facts["workers"].get(1)
    if one is not None:
        facts["client_seconds"] = one["ray"] / arguments.clients
        for workers, found in facts["workers"].items():
            # More workers than cores train no faster.
            local = Cluster(1, min(workers, available_cores()), facts["parameters"], facts["client_seconds"])
            found["predicted"] = arithmetic(local, arguments.clients, sums=True)["seconds"]
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
        description="Ray against threads, the bytes of a round, and larger clusters."
    )
    parser.add_argument("--model", choices=MODELS, default="cnn", help="which model")
    parser.add_argument("--clients", type=int, default=32, help="clients in a timed round")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="numbers of workers")
    parser.add_argument("--runs", type=int, default=3, help="pairs of rounds, after one to warm up")
    parser.add_argument("--cohort", type=int, default=320, help="clients in the round of counted bytes, or 0")
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")
    parser.add_argument("--arithmetic-only", action="store_true", help="measure nothing")
    parser.add_argument(
        "--client-seconds", type=float, default=0.3, help="of one client, with --arithmetic-only"
    )
    parser.add_argument(
        "--parameters", type=int, default=1_663_370, help="of the model, with --arithmetic-only"
    )
    arguments = parser.parse_args()
    if arguments.arithmetic_only:
        print("\n".join(projection(arguments.parameters, arguments.client_seconds)))
        return 0
    facts = measure(arguments)
    if arguments.json:
        print(json.dumps(facts, indent=2))
        return 0
    print("| workers | threads s | ray s | ray / threads | predicted s |", "|---" * 5 + "|", sep="\n")
    for workers, found in facts["workers"].items():
        predicted = f"{found['predicted']:.2f}" if "predicted" in found else ""
        print(
            f"| {workers} | {found['threads']:.2f} | {found['ray']:.2f} | {found['ratio']:.2f} | {predicted} |"
        )
    for name in ("summed", "single"):
        if name in facts:
            print(f"{name}: {facts[name]['sent']:,} bytes sent, {facts[name]['received']:,} received")
    print("\n".join(projection(facts["parameters"], facts.get("client_seconds", arguments.client_seconds))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
