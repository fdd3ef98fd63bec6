"""Milliseconds per client: fedcli's engine against the bare loop, and against `model.fit` in a loop.

    python benchmarks/clients.py [--models 2nn lenet cnn] [--runs 7] [--clients 100] [--quick] [--json]

Real Fashion-MNIST, 100 clients of 600 images, all of them in the cohort, one epoch of SGD. A run is one round: for
fedcli `run_round` with local training, admission, records, the mean and the server's step (evaluation and
checkpoints off), for the bare loop one pass over the same clients from the same weights. Runs alternate A B A B in
one process, after a warm-up of each; the ratio is the median over the pairs. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks import bare_loop
from benchmarks.figures import Figure, unmeasured
from benchmarks.peers.task import build_network
from fedcli import config
from fedcli.cli.output import quiet_imports
from fedcli.components.clients.runtime.batches import BatchPlan, draw_batches
from fedcli.core.rounds import Assignment, Broadcast, RoundState
from fedcli.core.seeds import generator
from fedcli.engine.round import run_round
from fedcli.engine.setup import Assembly
from fedcli.experiment.assemble import assemble
from fedcli.experiment.plan import plan
from fedcli.testing.changes import changed

NO_IMAGES = (
    f"Fashion-MNIST is not in {bare_loop.IMAGES}; `apt-get install dataset-fashion-mnist` puts it there."
)

POPULATION = 100
ROUNDS = 100_000
"""Planned and never reached, since the last round of a run is always evaluated."""

MODELS = {"2nn": "mlp", "lenet": "lenet", "cnn": "cnn"}

_EXPERIMENT = """
seed: {seed}
rounds: {rounds}
data:
  name: fashion_mnist
  path: {images}
  partition: {{name: iid, clients: {population}}}
  validation_fraction: 0.0
model: {{name: {model}}}
client:
  optimizer: {{name: sgd, learning_rate: {learning_rate}}}
  batch_size: {batch_size}
cohort: {cohort}
strategy: {{name: mean}}
evaluation: {{every: {rounds}}}
checkpoint: {{every: {rounds}}}
"""


class Contest(NamedTuple):
    """The two sides of one model, ready to run on the same clients."""

    assembly: Assembly
    program: bare_loop.Program
    clients: list[bare_loop.Client]
    pool: ThreadPoolExecutor


def experiment(
    model: str,
    *,
    population: int = POPULATION,
    cohort: int | None = None,
    rounds: int = ROUNDS,
    seed: int = 1,
) -> str:
    """The config of a network on real images: SGD on every client, and evaluated after the last round only.

    Args:
        model: a name in `MODELS`.
        population: clients, who share the 60,000 images.
        cohort: clients of a round; None for all.
        rounds: planned rounds.
        seed: of the run.
    """
    return _EXPERIMENT.format(
        seed=seed,
        rounds=rounds,
        images=bare_loop.IMAGES,
        population=population,
        model=MODELS[model],
        learning_rate=bare_loop.LEARNING_RATE,
        batch_size=bare_loop.BATCH_SIZES[model],
        cohort="full" if cohort is None else f"{{name: uniform, size: {cohort}}}",
    )


def prepare(model: str, num_clients: int, pool: ThreadPoolExecutor) -> tuple[Contest, RoundState]:
    """Both sides of a model, on the clients as fedcli deals them out."""
    assembly, state = assemble(plan(config.loads(experiment(model)).experiment))
    # The first clients of the federation are the whole cohort, so that fewer clients still hold 600 images each.
    everyone = assembly.world.cohort._replace(sample=lambda _rng, _population, _state: np.arange(num_clients))
    program = bare_loop.program_for(model)
    data = [assembly.world.federation.client(number)[:2] for number in range(num_clients)]
    clients = bare_loop.load_clients(data, fixed_shapes=program.fixed_shapes)
    return Contest(changed(assembly, cohort=everyone), program, clients, pool), state


def fedcli_round(contest: Contest, state: RoundState) -> tuple[RoundState, float]:
    """The state after one round of the engine, and its seconds."""
    begun = time.perf_counter()
    after, record, rows = run_round(contest.assembly, state, lambda _round: None, lambda *_done: None)
    seconds = time.perf_counter() - begun
    if record["clients/finished"] != len(contest.clients) or len(rows) != len(contest.clients):
        raise RuntimeError(f"a round lost clients: {record}")
    return after, seconds


def difference(contest: Contest, state: RoundState) -> float:
    """Largest difference between the two sides' updates of the first client on the same batches, as a share.

    Raises:
        RuntimeError: if it is more than rounding, so that a ratio would compare different work.
    """
    assembly, client = contest.assembly, contest.clients[0]
    start = assembly.clients.side.runtime.prepare(Broadcast(1, state.weights, state.statistics, 1.0))
    ours = assembly.clients.side.runtime.train(start, Assignment(0, {})).payload
    batches = BatchPlan(contest.program.batch_size, 1, None)
    rows = draw_batches(client.num_examples, batches, generator(assembly.run.seed, 1, 0, "batches"))
    theirs, _ = bare_loop.train_client(contest.program, start.weights, client, rows)
    share = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    if not share < 1e-3:
        raise RuntimeError(f"the two sides do not do the same work: their updates differ by {share:.1e}")
    return share


def alternate(contest: Contest, state: RoundState, runs: int) -> list[tuple[float, float]]:
    """Milliseconds per client of fedcli and the bare loop, `runs` pairs after one that warms up.

    Both sides of a pair start from the same weights.
    """
    scale = 1000 / len(contest.clients)
    pairs = []
    for _ in range(runs + 1):
        after, ours = fedcli_round(contest, state)
        theirs = bare_loop.loop(contest.program, state.weights, contest.clients, contest.pool)
        pairs.append((ours * scale, theirs * scale))
        state = after
    return pairs[1:]


def fit_loop(model: str, contest: Contest, flat: Any, num_clients: int) -> float:
    """Milliseconds per client of Keras's own training loop, called for one client after the other."""
    import keras

    network = build_network(model)
    network.compile(
        keras.optimizers.SGD(bare_loop.LEARNING_RATE),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    weights = bare_loop.split_weights(network, flat)
    seconds = []
    for number in range(num_clients + 1):
        x, y = contest.assembly.world.federation.client(number % len(contest.clients))[:2]
        begun = time.perf_counter()
        network.set_weights(weights)
        network.fit(x, y, batch_size=contest.program.batch_size, epochs=1, verbose=0)
        seconds.append(time.perf_counter() - begun)
    return 1000 * statistics.median(seconds[1:])


def measure(model: str, arguments: argparse.Namespace, pool: ThreadPoolExecutor) -> dict[str, Any]:
    """Every figure of one model."""
    contest, state = prepare(model, arguments.clients, pool)
    try:
        share = difference(contest, state)
        pairs = alternate(contest, state, arguments.runs)
        fit = fit_loop(model, contest, state.weights, arguments.fit_clients)
    finally:
        contest.assembly.executor.close()
    ours, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = [fedcli / alone for fedcli, alone in pairs]
    return {
        "model": model,
        "weights": int(state.weights.size),
        "batch_size": contest.program.batch_size,
        "clients": arguments.clients,
        "runs": arguments.runs,
        "compiler": contest.assembly.clients.side.runtime.compiler,
        "fedcli_ms": ours,
        "bare_ms": bare,
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "fit_ms": fit,
        "fit_clients": arguments.fit_clients,
        "fit_ratio": fit / ours,
        "traces": contest.assembly.clients.side.runtime.num_traces,
        "bare_traces": contest.program.traces(),
        "update_difference": share,
    }


def figures(*, quick: bool) -> Iterator[Figure]:
    """A client's time inside a federation as a multiple of the bare loop's, for each model."""
    if not bare_loop.IMAGES.is_dir():
        yield unmeasured("a client of fedcli against the bare loop", "times", NO_IMAGES)
        return
    arguments = parse(["--quick", "--runs", "1", "--clients", "4", "--fit-clients", "1"] if quick else [])
    with ThreadPoolExecutor(bare_loop.set_threads()) as pool:
        for model in arguments.models:
            row = measure(model, arguments, pool)
            note = (
                f"{row['fedcli_ms']:.1f} against {row['bare_ms']:.1f} ms; {row['ratio_min']:.3f} to "
                f"{row['ratio_max']:.3f} in {row['runs']} pairs; `model.fit` takes {row['fit_ms']:.0f} ms"
            )
            what = f"a client of fedcli against the bare loop, {model}"
            yield Figure(what, row["ratio"], "times", most=1.05, note=note)


def heading(arguments: argparse.Namespace, cores: int) -> str:
    """What was measured, and the names of the columns."""
    return (
        f"{arguments.clients} clients of 600 images, 1 epoch, {cores} client threads; {arguments.runs} pairs of runs.\n"
        f"Milliseconds per client, medians. model.fit: median of {arguments.fit_clients} clients, one by one on one "
        f"thread.\n{'model (weights), batch':<25}{'fedcli':>8}{'bare':>8}   {'ratio (min - max)':<23}"
        f"{'fit':>8}{'fit/fedcli':>12}{'traces':>8}"
    )


def line(row: dict[str, Any]) -> str:
    """One model's figures as a row of the table."""
    name = f"{row['model']} ({row['weights']:,}), {row['batch_size']}"
    ratios = f"{row['ratio']:.3f} ({row['ratio_min']:.3f} - {row['ratio_max']:.3f})"
    return (
        f"{name:<25}{row['fedcli_ms']:>8.2f}{row['bare_ms']:>8.2f}   {ratios:<23}"
        f"{row['fit_ms']:>8.1f}{row['fit_ratio']:>12.1f}{row['traces']:>8}"
    )


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The flags; `--quick` only changes what was not asked for."""
    parser = argparse.ArgumentParser(description="Milliseconds per client: fedcli, bare loop, model.fit.")
    parser.add_argument("--models", nargs="+", choices=tuple(MODELS), default=list(MODELS), metavar="MODEL")
    parser.add_argument("--runs", type=int, help="pairs of runs after the warm-up (default 7)")
    parser.add_argument("--clients", type=int, help=f"clients of a round (default and most: {POPULATION})")
    parser.add_argument("--fit-clients", type=int, help="clients timed with model.fit, median (default 5)")
    parser.add_argument("--quick", action="store_true", help="3 pairs of 10 clients: alive, not how fast")
    parser.add_argument("--json", action="store_true", help="print the facts as JSON on stdout")
    arguments = parser.parse_args(words)
    defaults = (3, 10, 2) if arguments.quick else (7, POPULATION, 5)
    for name, value in zip(("runs", "clients", "fit_clients"), defaults, strict=True):
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    if arguments.runs < 1 or arguments.fit_clients < 1 or not 1 <= arguments.clients <= POPULATION:
        parser.error(f"--runs and --fit-clients are at least 1, --clients lies between 1 and {POPULATION}")
    return arguments


def main() -> int:
    """Measure the models one after the other and print each as soon as it is known."""
    arguments = parse()
    if not bare_loop.IMAGES.is_dir():
        print(NO_IMAGES, file=sys.stderr)
        return 2
    with quiet_imports():
        cores = bare_loop.set_threads()
    out = sys.stderr if arguments.json else sys.stdout
    print(heading(arguments, cores), file=out)
    rows = []
    with ThreadPoolExecutor(cores) as pool:
        for model in arguments.models:
            rows.append(measure(model, arguments, pool))
            print(line(rows[-1]), file=out, flush=True)
    if arguments.json:
        print(json.dumps({"cores": cores, "results": rows}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
