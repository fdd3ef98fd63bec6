"""The same task for fedcli and its peers, a process each, in turn: A B C A B C."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import bare_loop, clients
from benchmarks.figures import Figure, unmeasured
from benchmarks.peers.environments import PEERS, Peer, default_cache, interpreter, is_installed
from benchmarks.peers.task import build_network
from fedcli import config
from fedcli.core.errors import FedcliError
from fedcli.experiment.assemble import assemble
from fedcli.experiment.plan import plan

POPULATION, COHORT = 100, 10
WARM_UP = 2
"""First rounds of a process, in which programs are traced and workers started; they are not timed."""

LARGEST_GAP = 0.05
"""Two sides whose accuracies differ by more did not do the same work."""

MARKS = {
    "flower": {"2nn": 40.0, "lenet": 15.0, "cnn": 2.5},
    "pfl": {"2nn": 9.0, "lenet": 4.0, "cnn": 1.3},
}
LONGEST_SECONDS = 1800

WHOLE = (tuple(clients.MODELS), 3, 8)
QUICK = (("2nn",), 1, 2)
"""Models, runs of each side, and timed rounds of a run."""


class Timed(NamedTuple):
    """One process of one side: the median of its timed rounds, and the accuracy after the last."""

    milliseconds_a_client: float
    accuracy: float


class Comparison(NamedTuple):
    """A model on all sides.

    Args:
        model: its name.
        sides: the processes of each side, one a run.
    """

    model: str
    sides: dict[str, list[Timed]]

    def milliseconds(self, side: str) -> float:
        """Median over the runs of a client's time."""
        return statistics.median(each.milliseconds_a_client for each in self.sides[side])

    def accuracy(self, side: str) -> float:
        """Mean over the runs."""
        return statistics.mean(each.accuracy for each in self.sides[side])

    def ratios(self, side: str) -> list[float]:
        """How many times as long as fedcli, in each run."""
        pairs = zip(self.sides[side], self.sides["fedcli"], strict=True)
        return [theirs.milliseconds_a_client / ours.milliseconds_a_client for theirs, ours in pairs]


def compare(
    model: str, peers: Sequence[Peer], cache: Path, *, runs: int, rounds: int, cohort: int = COHORT
) -> Comparison:
    """Time a model on all sides in turn.

    Args:
        model: one of the three models.
        peers: the libraries, which are installed.
        cache: the folder with their environments.
        runs: processes of each side.
        rounds: timed rounds of a process.
        cohort: clients of a round, at most `POPULATION`.

    Raises:
        FedcliError: if a program fails, or the sides end with accuracies that are not alike.
    """
    sides: dict[str, list[Timed]] = {name: [] for name in ("fedcli", *(peer.name for peer in peers))}
    with tempfile.TemporaryDirectory(prefix="fedcli-peers-") as scratch:
        for run in range(runs):
            folder = Path(scratch) / f"{model}-{run}"
            # A seed for each run, so that the accuracies are not those of one partition.
            write_task(folder, model, cohort=cohort, rounds=WARM_UP + rounds + 1, seed=run + 1)
            programs = {"fedcli": [sys.executable, str(_program("with_fedcli.py")), str(folder)]}
            for peer in peers:
                words = [str(interpreter(peer, cache)), str(_program(peer.program)), str(folder)]
                programs[peer.name] = [*words, *peer.arguments]
            for name, command in programs.items():
                sides[name].append(timed(name, command, folder, cohort=cohort))
    found = Comparison(model, sides)
    for name in sides:
        if abs(found.accuracy(name) - found.accuracy("fedcli")) > LARGEST_GAP:
            raise FedcliError(
                f"{model}: {name} ends with an accuracy of {found.accuracy(name):.3f}, fedcli with "
                f"{found.accuracy('fedcli'):.3f}. They did not do the same work, so their times mean nothing."
            )
    return found


def write_task(folder: Path, model: str, *, cohort: int, rounds: int, seed: int) -> None:
    """Write fedcli's config, and for the peers the same clients, test images and initial weights."""
    folder.mkdir()
    text = clients.experiment(model, population=POPULATION, cohort=cohort, rounds=rounds, seed=seed)
    (folder / "experiment.yaml").write_text(text)
    assembly, state = assemble(plan(config.loads(text).experiment))
    assembly.executor.close()
    federation = assembly.world.federation
    images, labels = zip(*(federation.client(client)[:2] for client in range(POPULATION)), strict=True)
    test_images, test_labels = federation.test
    arrays = {"images": images, "labels": labels, "test_images": test_images, "test_labels": test_labels}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.asarray(array))
    np.savez(folder / "weights.npz", *bare_loop.split_weights(build_network(model), state.weights))
    facts = {
        "model": model,
        "clients": POPULATION,
        "cohort": cohort,
        "rounds": rounds,
        "batch_size": bare_loop.BATCH_SIZES[model],
        "learning_rate": bare_loop.LEARNING_RATE,
    }
    (folder / "task.json").write_text(json.dumps(facts))


def timed(name: str, command: list[str], folder: Path, *, cohort: int) -> Timed:
    """Run a program and read the line of JSON that it prints.

    Raises:
        FedcliError: if it fails, or takes longer than half an hour.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=_environment(name, folder),
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FedcliError(f"{name} did not end within {LONGEST_SECONDS} s.") from None
    printed = [line for line in done.stdout.splitlines() if line.startswith('{"times"')]
    if done.returncode or not printed:
        said = "\n".join((done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-5:])
        raise FedcliError(f"{name} ended with exit code {done.returncode}; it printed last:\n{said}")
    facts = json.loads(printed[-1])
    # fedcli evaluates and writes its checkpoint in the last round.
    seconds = np.diff(facts["times"])[WARM_UP:-1].tolist()
    return Timed(1000 * statistics.median(seconds) / cohort, facts["accuracy"])


def figures(*, quick: bool) -> Iterator[Figure]:
    """How many times as long the peers take as fedcli, for each model; the reason where one is not installed."""
    cache = default_cache()
    there = [peer for peer in PEERS.values() if is_installed(peer, cache)]
    for peer in PEERS.values():
        if peer not in there:
            reason = f"{peer.name} is not installed in {cache}; `python -m benchmarks.peers` installs it"
            yield unmeasured(f"{peer.name} against fedcli, time of a client", "times", reason)
    if not there:
        return
    models, runs, rounds = QUICK if quick else WHOLE
    for model in models:
        yield from figures_of(compare(model, there, cache, runs=runs, rounds=rounds))


def figures_of(found: Comparison) -> Iterator[Figure]:
    """A figure for each peer."""
    for side in [name for name in found.sides if name != "fedcli"]:
        ratios = found.ratios(side)
        note = (
            f"{found.milliseconds(side):.1f} against {found.milliseconds('fedcli'):.1f} ms a client; "
            f"{min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} runs; accuracy {found.accuracy(side):.3f} "
            f"against {found.accuracy('fedcli'):.3f}"
        )
        what = f"{side} against fedcli, time of a client, {found.model}"
        yield Figure(what, statistics.median(ratios), "times", least=MARKS[side][found.model], note=note)


def _program(name: str) -> Path:
    return Path(__file__).parent / name


def _environment(name: str, folder: Path) -> dict[str, str]:
    """This process's environment without settings of threads, and with the peers' reports to their makers off."""
    limits = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "PYTHONPATH")
    kept = {key: value for key, value in os.environ.items() if key not in limits}
    return kept | {
        **({"PYTHONPATH": str(Path(__file__).parents[2])} if name == "fedcli" else {}),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "FLWR_HOME": str(folder),
        "FLWR_TELEMETRY_ENABLED": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
