"""Flips single bits of run directories and cuts files off, and counts what `verify`, `evaluate` and `resume` do.

    python benchmarks/flip_bits.py [--flips 1500] [--cuts 500] [--seed 0] [--kinds plain scaffold ...] [--json]

Real runs of four kinds are made once and interrupted before their last round. Every file of each has its turn. What a
command does with a damaged copy is one of these:

- named: it ends with a sentence, reports a failure, or says so and goes on to the same end;
- stated: `verify` says of the file that it was not compared, such as of a picture;
- the same: its result is that of the whole run, since it does not read the file or makes it again;
- accepted: another result, without a word; or a traceback. Neither may happen.

TensorFlow is loaded once, and each experiment is assembled once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

ROUNDS, STOPPED = 4, 3
BASE = f"""
name: flipped
rounds: {ROUNDS}
data: {{name: digits, partition: {{name: iid, clients: 4}}, validation_fraction: 0.2}}
model: {{name: logistic}}
client: {{optimizer: {{name: sgd, learning_rate: 0.1}}, epochs: 1, batch_size: 64}}
strategy: {{name: weighted}}
"""
KINDS = {
    "plain": ["strategy={name: fedavgm, beta: 0.5}", "average={decay: 0.9}"],
    "scaffold": ["strategy={name: scaffold}", "cohort={name: uniform, size: 3}"],
    "private": [
        "cohort={name: min-separation, separation: 2}",
        "strategy={name: dp-banded, clip_norm: 0.5, noise_multiplier: 1.0, bands: 2, delta: 1.0e-3}",
        "privacy.reproducible_noise=true",
    ],
    "everything": [
        "data.partition.clients=3",
        "cohort=full",
        "strategy={name: dp-distributed, clip_norm: 1.0, contributors: 3, noise_multiplier: 2.1, delta: 1.0e-3, "
        "bits: 12}",
        "encryption={name: shared-key, keep_keys: true}",
        "proofs={name: norm-bound}",
    ],
}
COMMANDS = ("verify", "evaluate", "resume")
ACCEPTED, TRACEBACK = "accepted", "traceback"


class Damage(NamedTuple):
    """One change of one file: the bit that is flipped, or the length that is left."""

    kind: str
    file: str
    bit: int | None
    length: int | None

    def __str__(self) -> str:
        what = f"bit {self.bit}" if self.bit is not None else f"cut to {self.length} bytes"
        return f"{self.kind}: {self.file}, {what}"


@dataclass(frozen=True)
class Base:
    """A run, and what each command says of it while it is whole."""

    run: Path
    expected: dict[str, Any]


def made(place: Path, kind: str) -> Path:
    """A run of three rounds of four, with its table, picture and summary."""
    from fedcli import config
    from fedcli.core.errors import RunInterrupted
    from fedcli.runs.lifecycle import Progress, start_run
    from fedcli.runs.outcome import with_outcome
    from fedcli.store import charges, directory

    run = place / kind
    source = config.loads(BASE, "flipped.yaml", KINDS[kind])

    def watch(done: int, _planned: int) -> None:
        # In the last round, after one client has trained.
        if directory.finished_rounds(run)[-1:] == [STOPPED] and done:
            raise RunInterrupted("stop")

    with contextlib.suppress(RunInterrupted):
        with_outcome(lambda progress: start_run(source, run, progress=progress), Progress(watch=watch))
    if kind == "everything":
        # As a process leaves it that dies while it releases the last round, which then may not be released again.
        charges.write(run, ROUNDS)
    return run


@contextlib.contextmanager
def warm() -> Iterator[None]:
    """Plan and assemble each experiment only once: thousands of resumptions then share a compiled program."""
    from fedcli.config import dump
    from fedcli.runs import lifecycle

    def remembered(build: Callable[..., Any], name: Callable[..., tuple[Any, ...]]) -> Callable[..., Any]:
        known: dict[tuple[Any, ...], Any] = {}

        def of(*args: Any, **settings: Any) -> Any:
            key = name(*args, **settings)
            if key not in known:
                known[key] = build(*args, **settings)
            return known[key]

        return of

    plan = remembered(lifecycle.plan, lambda experiment, data_key=None: (dump(experiment), data_key))
    assemble = remembered(
        lifecycle.assemble, lambda setup, config_digest=b"": (dump(setup.experiment), config_digest)
    )
    with (
        patch.object(lifecycle, "plan", plan),
        patch.object(lifecycle, "assemble", assemble),
        patch.object(lifecycle, "closing", lambda _assembly: contextlib.nullcontext()),
    ):
        yield


def verify(run: Path) -> tuple[str, Any]:
    """What `verify` says: every failure by file, or the files of its notes."""
    from fedcli.runs.verification import verify_run

    report = verify_run(run)
    unforeseen = [each.sentence for each in report.failures if "did not foresee" in each.sentence]
    if unforeseen:
        raise AssertionError(unforeseen[0])
    if not report.holds:
        return "named", report.failures[0].sentence
    return "holds", sorted({each.file for each in (*report.notes, *report.unchecked)})


def evaluate(run: Path) -> tuple[str, Any]:
    """The figures of the last model."""
    from fedcli.runs.lifecycle import evaluate_run

    return "holds", {**evaluate_run(run), "run": ""}


def resume(run: Path) -> tuple[str, Any]:
    """What is left by the end of a run, with the warnings on the way there."""
    from fedcli.runs.lifecycle import Progress, resume_run

    said: list[str] = []
    result = resume_run(run, progress=Progress(warn=said.append))
    rows = [
        {name: value for name, value in row.items() if not name.startswith("seconds")}
        for row in result.records
    ]
    weights = result.state.weights.tobytes()
    if run.name.endswith("everything"):
        # The noise of the operating system is not that of another process.
        rows, weights = [{name: row[name] for name in ("round", "note") if name in row} for row in rows], b""
    return ("named" if said else "holds"), [rows, weights.hex(), result.state.releases, said]


def answer(run: Path, command: str) -> tuple[str, Any]:
    """What a command says: named, holds or traceback, and the rest of it."""
    from fedcli.core.errors import FedcliError

    try:
        return {"verify": verify, "evaluate": evaluate, "resume": resume}[command](run)
    except FedcliError as error:
        return ("named" if str(error) else TRACEBACK), str(error) or "an error without a sentence"
    except Exception:  # noqa: BLE001 - this is what is looked for
        return TRACEBACK, traceback.format_exc(limit=-4)


def verdict(base: Base, damage: Damage, command: str, said: str, about: Any) -> str:
    """What became of a damaged directory."""
    whole = base.expected[command]
    if said != "holds":
        is_other_end = command == "resume" and said == "named" and isinstance(about, list)
        # A resumption that says what it found, and then ends elsewhere, has not mended it.
        return ACCEPTED if is_other_end and about[:3] != whole[:3] and not _is_voided(about) else said
    if command == "verify":
        return "stated" if damage.file in about else ACCEPTED
    return "the same" if about == whole else ACCEPTED


def damaged(base: Base, damage: Damage, place: Path) -> Path:
    """A damaged copy of a run."""
    shutil.rmtree(place, ignore_errors=True)
    run = Path(shutil.copytree(base.run, place))
    path = run / damage.file
    content = bytearray(path.read_bytes())
    if damage.bit is not None:
        content[damage.bit // 8] ^= 1 << damage.bit % 8
    path.write_bytes(content[: damage.length])
    return run


def drawn(bases: dict[str, Base], flips: int, cuts: int, seed: int) -> list[Damage]:
    """Damages of every file of every kind in turn, of a random bit or length."""
    rng = np.random.Generator(np.random.Philox(seed))
    files = [
        (kind, path.relative_to(base.run).as_posix(), path.stat().st_size)
        for kind, base in bases.items()
        for path in sorted(base.run.rglob("*"))
        if path.is_file() and path.stat().st_size
    ]
    found: list[Damage] = []
    for count, is_flip in ((flips, True), (cuts, False)):
        order: list[int] = []
        while len(order) < count:
            order += rng.permutation(len(files)).tolist()
        for index in order[:count]:
            kind, file, size = files[index]
            bit, length = (int(rng.integers(8 * size)), None) if is_flip else (None, int(rng.integers(size)))
            found.append(Damage(kind, file, bit, length))
    return found


def flip(flips: int, cuts: int, seed: int, kinds: list[str]) -> dict[str, Any]:
    """Damage run directories and count what each command does with them."""
    counts: dict[str, Counter[str]] = {command: Counter() for command in COMMANDS}
    same: dict[str, Counter[str]] = {command: Counter() for command in COMMANDS}
    shown: list[tuple[str, str, Any]] = []
    with tempfile.TemporaryDirectory() as name, warm():
        bases = {kind: based(Path(name), kind) for kind in kinds}
        for damage in drawn(bases, flips, cuts, seed):
            base = bases[damage.kind]
            run = damaged(base, damage, Path(name) / f"damaged-{damage.kind}")
            # Resumed last, since it writes.
            for command in COMMANDS:
                said, about = answer(run, command)
                found = verdict(base, damage, command, said, about)
                counts[command][found] += 1
                if found in (ACCEPTED, TRACEBACK):
                    shown.append((command, f"{damage}: {found}", str(about)[:2000]))
                elif found != "named":
                    same[command][f"{found}: {_pattern(damage.file)}"] += 1
    return {
        "damages": flips + cuts,
        **{command: dict(counts[command]) for command in COMMANDS},
        "not named": {command: dict(same[command].most_common()) for command in COMMANDS},
        "shown": shown,
    }


def based(place: Path, kind: str) -> Base:
    """A run, and what is said of it while it is whole."""
    run = made(place, kind)
    expected: dict[str, Any] = {}
    for command in COMMANDS:
        copy = Path(shutil.copytree(run, place / f"whole-{command}-{kind}"))
        said, expected[command] = answer(copy, command)
        if said != "holds":
            raise RuntimeError(f"{command} of a whole run of kind {kind}: {said}: {expected[command]}")
    return Base(run, expected)


def _is_voided(about: list[Any]) -> bool:
    """Whether rounds became void because they may have been released before."""
    return any("void" in row.get("note", "") for row in about[0])


def _pattern(file: str) -> str:
    return "".join("N" if letter.isdigit() else letter for letter in file)


def main() -> None:
    """Damage and print; exits with 1 if anything was accepted or not explained."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--flips", type=int, default=1500)
    parser.add_argument("--cuts", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    begun = time.monotonic()
    found = flip(arguments.flips, arguments.cuts, arguments.seed, arguments.kinds)
    found["seconds"] = round(time.monotonic() - begun)
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        for name, value in found.items():
            if name not in ("shown", "not named"):
                print(f"{name:<10}  {value}")
        for command, files in found["not named"].items():
            for pattern, count in files.items():
                print(f"  {command:<9} {count:>5}  {pattern}")
        for each in found["shown"]:
            print(*each, sep="\n  ", file=sys.stderr)
    sys.exit(any(found[command].get(bad) for command in COMMANDS for bad in (ACCEPTED, TRACEBACK)))


if __name__ == "__main__":
    main()
