"""Opens randomly damaged run directories as `verify`, `evaluate` and `resume` do, and counts what went wrong.

    python benchmarks/fuzz_directories.py [--count 20000] [--seed 0] [--kinds plain scaffold ...] [--json]

Real runs of five kinds are made once. Each case copies one, changes it up to three times, writes its manifests anew in
two of three cases, and opens it in a process of its own kind with everything that reads a run. Counted are exceptions
that fedcli does not explain, a reader that takes more than one second of the processor, more than 300 MB beyond what
the process had before, and a hang, which is no answer after 20 seconds of the clock. A file outside the directory must
never change.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks.fuzz_configs import HANG_SECONDS, MEGABYTES, SECONDS, kilobytes, resident_from_now

BASE = """
name: fuzzed
rounds: 2
data: {name: digits, partition: {name: iid, clients: 4}, validation_fraction: 0.2}
model: {name: logistic}
client: {optimizer: {name: sgd, learning_rate: 0.1}, epochs: 1, batch_size: 64}
strategy: {name: weighted}
"""
KINDS = {
    "plain": ["strategy={name: fedavgm, beta: 0.5}", "average={decay: 0.9}"],
    "scaffold": ["strategy={name: scaffold}"],
    "private": [
        "cohort={name: min-separation, separation: 2}",
        "strategy={name: dp-banded, clip_norm: 0.5, noise_multiplier: 1.0, bands: 2, delta: 1.0e-3}",
    ],
    "proofs": ["fixed_point={clip_norm: 10.0, bits: 16, max_examples: 1000}", "proofs={name: norm-bound}"],
    "encrypted proofs": [
        "fixed_point={clip_norm: 10.0, bits: 16, max_examples: 1000}",
        "proofs={name: norm-bound}",
        "encryption={name: secagg}",
    ],
}
# Verifying proofs takes most of the time, so that there are fewer of them.
SHARES = {"plain": 0.34, "scaffold": 0.28, "private": 0.24, "proofs": 0.08, "encrypted proofs": 0.06}


def make_runs(place: Path, kinds: list[str]) -> dict[str, Path]:
    """One real run of each kind."""
    import fedcli

    (place / "base.yaml").write_text(BASE)
    return {
        kind: fedcli.run(place / "base.yaml", KINDS[kind], folder=place / kind.replace(" ", "-")).folder
        for kind in kinds
    }


def layout_of(run: Path) -> Any:
    """How the model's variables are placed in a state's vectors."""
    from fedcli.core.rounds import ModelLayout
    from fedcli.core.vectors import Layout
    from fedcli.store.files import npz

    folder = run / "checkpoints/round-00000"
    arrays = npz.read_arrays(folder / "weights.npz")
    groups = json.loads((folder / "manifest.json").read_text())["arrays"]
    return ModelLayout(
        **{
            group: Layout(tuple(names), tuple(arrays[name].shape for name in names))
            for group, names in groups.items()
        }
    )


def opened(run: Path, layout: Any) -> tuple[list[str], float]:
    """What every reader of a run directory says about it, and the seconds of the slowest.

    An exception that is not explained is returned as `!`.
    """
    from fedcli import config
    from fedcli.core.errors import FedcliError
    from fedcli.runs.kept_checkpoints import planned_retention
    from fedcli.runs.run_directory import Run
    from fedcli.runs.verification import verify_run
    from fedcli.store import directory, secrets
    from fedcli.store.run_store import RunStore

    there = Run(run)

    def verify() -> str:
        report = verify_run(run)
        unforeseen = [each.sentence for each in report.failures if "did not foresee" in each.sentence]
        return "!" + unforeseen[0] if unforeseen else "holds" if report.holds else "findings"

    def evaluate() -> None:
        config.loads(directory.config_text(run), "config.yaml", imports=False)
        secrets.read_data_key(run)
        secrets.read_keys(run)
        directory.read_run(run)
        state = directory.read_state(run, layout, None, planned_retention(run))
        for kept in state.clients.values():
            dict(kept.items())

    def resume() -> None:
        store = RunStore(run, layout, every=1)
        try:
            # A warning, such as that of a charge that somebody removed, is an answer; tests make errors of them.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                store.resume()
            store.is_charged(3)
        finally:
            store.close()

    readers = [verify, *(lambda name=name: getattr(there, name) for name in ("config", "environment", "records",
               "clients", "rounds", "privacy", "head")), there.weights, evaluate, resume]  # fmt: skip
    said, slowest = [], 0.0
    for read in readers:
        begun = time.process_time()
        try:
            answer = read()
            said.append(str(answer) if read is verify else "read")
        except FedcliError as error:
            said.append("sentence" if str(error) else "!an error without a sentence")
        except Exception:  # noqa: BLE001 - this is what is looked for
            said.append("!" + traceback.format_exc(limit=-3))
        slowest = max(slowest, time.process_time() - begun)
    return said, slowest


def damaged(base: Path, place: Path, seed: int) -> tuple[Path, list[str]]:
    """A damaged copy of a run, and what was done to it."""
    from fedcli.testing.mutated_runs import mutate, reseal

    rng = np.random.Generator(np.random.Philox(seed))
    shutil.rmtree(place, ignore_errors=True)
    (place / "outside").mkdir(parents=True)
    (place / "outside/file").write_text("of somebody else")
    run = Path(shutil.copytree(base, place / "run"))
    changes = [mutate(run, place / "outside", rng) for _ in range(rng.integers(1, 4))]
    if rng.random() < 2 / 3:
        reseal(run)
        changes.append("resealed")
    return run, changes


def work(
    bases: dict[str, Path], layouts: dict[str, Any], place: Path, cases: list[tuple[int, str]], answers: int
) -> None:
    """Open cases one after the other, and write an answer for each; this is the body of a process."""
    for number, kind in cases:
        run, changes = damaged(bases[kind], place, number)
        before = resident_from_now()
        said, seconds = opened(run, layouts[kind])
        grown = (kilobytes("VmHWM") - before) / 1024
        if (place / "outside/file").read_text() != "of somebody else":
            said.append("!a file outside the directory was changed")
        os.write(answers, (json.dumps([number, kind, changes, said, seconds, grown]) + "\n").encode())


def fuzz(count: int, seed: int, kinds: list[str]) -> dict[str, Any]:
    """Open `count` damaged directories, and count what became of them."""
    rng = np.random.Generator(np.random.Philox(seed))
    shares = np.array([SHARES[kind] for kind in kinds])
    drawn = rng.choice(len(kinds), size=count, p=shares / shares.sum())
    cases = [(seed * 1_000_000 + number, kinds[index]) for number, index in enumerate(drawn)]
    counts: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    shown: dict[str, Any] = {}
    worst: dict[str, list[Any]] = {"seconds": [0.0], "megabytes": [0.0]}
    with tempfile.TemporaryDirectory() as name:
        bases = make_runs(Path(name), kinds)
        layouts = {kind: layout_of(run) for kind, run in bases.items()}
        opened(Path(shutil.copytree(bases[kinds[0]], Path(name) / "warm")), layouts[kinds[0]])
        while cases:
            ends, answers = os.pipe()
            process = os.fork()
            if not process:
                with contextlib.suppress(BaseException):
                    work(bases, layouts, Path(name) / "case", cases, answers)
                os._exit(0)
            os.close(answers)
            with os.fdopen(ends, "rb", buffering=0) as stream:
                done, why = _collect(stream, process, counts, accepted, worst, shown)
            if done < len(cases):
                counts[why] += 1
                shown[f"{why} {cases[done][0]}"] = _told([*cases[done], why])
                done += 1
            cases = cases[done:]
    return {
        "directories": count,
        "as if unchanged": counts["holds"],
        "with findings": counts["findings"],
        "refused as a whole": counts["sentence"],
        "tracebacks": counts["tracebacks"],
        "hangs": counts["hangs"],
        "killed": counts["killed"],
        "above 1 s": counts["slow"],
        "above 300 MB": counts["large"],
        "slowest": worst["seconds"],
        "largest": worst["megabytes"],
        "accepted": dict(accepted.most_common(12)),
        "shown": shown,
    }


def _collect(
    stream: Any,
    process: int,
    counts: Counter[str],
    accepted: Counter[str],
    worst: dict[str, list[Any]],
    shown: dict[str, Any],
) -> tuple[int, str]:
    """Count the answers of a process until it ends or hangs: how many, and why it did not answer the next."""
    buffer, done = b"", 0
    while True:
        ready, _, _ = select.select([stream], [], [], HANG_SECONDS)
        piece = stream.read(1 << 16) if ready else b""
        if not piece:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return done, "killed" if ready else "hangs"
        *lines, buffer = (buffer + piece).split(b"\n")
        for line in lines:
            number, kind, changes, said, seconds, grown = json.loads(line)
            done += 1
            case = [number, kind, changes]
            unexplained = [each for each in said if each.startswith("!")]
            counts["tracebacks"] += bool(unexplained)
            counts["slow"] += seconds > SECONDS
            counts["large"] += grown > MEGABYTES
            counts[said[0]] += said[0] in ("holds", "findings", "sentence")
            worst["seconds"] = max(worst["seconds"], [round(seconds, 2), *case])
            worst["megabytes"] = max(worst["megabytes"], [round(grown), *case])
            if said[0] == "holds":
                accepted[f"{kind}: {changes[0].split('/')[0]}"] += 1
            for each in unexplained:
                if each[-160:] not in shown:
                    shown[each[-160:]] = _told([*case, each])
            if seconds > SECONDS or grown > MEGABYTES:
                shown[f"costly {number}"] = _told([*case, round(seconds, 2), round(grown)])


def _told(finding: list[Any]) -> list[Any]:
    # At once, because the whole count takes long.
    print(*finding, file=sys.stderr, flush=True)
    return finding


def main() -> None:
    """Fuzz and print; exits with 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    begun = time.monotonic()
    found = fuzz(arguments.count, arguments.seed, arguments.kinds)
    found["seconds"] = round(time.monotonic() - begun)
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        for name, value in found.items():
            if name != "shown":
                print(f"{name:<20}  {value}")
    bad = ("tracebacks", "hangs", "killed", "above 1 s", "above 300 MB")
    sys.exit(any(found[name] for name in bad))


if __name__ == "__main__":
    main()
