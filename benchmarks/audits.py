"""Audits of every private strategy: with the noise that it claims, with a half and with a third of it.

    python benchmarks/audits.py [--canaries 20000] [--hard-canaries 160000] [--honest 40] [--only NAME ...]

Every row is an experiment at epsilon 1 or 4 and delta 1e-6. The table has the lower bound on epsilon that
`fedcli audit` finds, the best that it could have found, and its verdict. Audits of the right noise follow, with other
coins and the default number of canaries, in each of which "disproved" is a false alarm. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# The experiments name two functions of this file as benchmarks.audits, however it was started.
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from fedcli import config
from fedcli.cli.output import quiet_imports
from fedcli.components.data import Dataset
from fedcli.core.privacy_events import BandedEvent, TreeEvent
from fedcli.core.sampling_scheme import PrivacyTarget, Sampling
from fedcli.privacy import calibrate
from fedcli.runs.audit import AuditResult, audit_experiment

CLIENTS, CLIP_NORM, DELTA, WIDTH = 10, 0.5, 1e-6, 40
SCALES = {"1": 1.0, "1/2": 1 / 2, "1/3": 1 / 3}
EPSILONS = (1.0, 4.0)

EXPERIMENT = f"""
seed: 1
data:
  name: "benchmarks.audits:nothing"
  partition: {{name: iid, clients: {CLIENTS}}}
  validation_fraction: 0.0
model: {{name: "benchmarks.audits:two_kernels"}}
rounds: 1
cohort: {{name: full}}
"""

Row = dict[str, Any]


class Audited(NamedTuple):
    """An experiment to audit: its strategy with `{epsilon}` open, other settings, and whether cohorts are sampled."""

    strategy: str
    settings: Sequence[str] = ()
    is_sampled: bool = False


def nothing(_seed: int) -> Dataset:
    """Examples of zeros: nobody trains in an audit, but a federation has data."""
    x, y = np.zeros((5 * CLIENTS, WIDTH), np.float32), np.arange(5 * CLIENTS) % WIDTH
    return Dataset(x, y, x, y, "classification", WIDTH)


def two_kernels(input_shape: tuple[int, ...], num_outputs: int) -> Any:
    """A model of two arrays of 2,000 weights: a canary fills both if each is clipped by itself."""
    import keras

    hidden = keras.layers.Dense(50, use_bias=False, activation="relu")
    return keras.Sequential(
        [keras.Input(input_shape), hidden, keras.layers.Dense(num_outputs, use_bias=False)]
    )


def central(name: str, more: str = "") -> str:
    """A strategy whose noise is calculated from epsilon."""
    return f"{{{{name: {name}, clip_norm: {CLIP_NORM}, delta: {DELTA}, epsilon: {{epsilon}}{more}}}}}"


def correlated(name: str, more: str = "") -> str:
    """A strategy whose noise multiplier is looked for here."""
    return f"{{{{name: {name}, clip_norm: {CLIP_NORM}, delta: {DELTA}, noise_multiplier: {{noise}}{more}}}}}"


CLIPPED = central("dp-clipped")
EXPERIMENTS = {
    "dp-clipped": Audited(CLIPPED),
    "dp-clipped, max_examples": Audited(CLIPPED, ["fixed_point={max_examples: 200}"]),
    "dp-per-layer": Audited(central("dp-per-layer")),
    "dp-adaptive": Audited(f"{{{{name: dp-adaptive, delta: {DELTA}, epsilon: {{epsilon}}}}}}"),
    "dp-distributed": Audited(central("dp-distributed", f", contributors: {CLIENTS}")),
    "dp-ftrl, 2 rounds": Audited(correlated("dp-ftrl"), ["rounds=2"]),
    "dp-local": Audited(central("dp-local")),
    "dp-banded, min-separation 2": Audited(
        correlated("dp-banded", ", bands: 2"),
        ["cohort={name: min-separation, separation: 2}", "rounds=4"],
        is_sampled=True,
    ),
    "dp-clipped, uniform 5 of 10": Audited(CLIPPED, ["cohort={name: uniform, size: 5}"], is_sampled=True),
    "dp-clipped, poisson 0.2": Audited(
        CLIPPED, ["cohort={name: poisson, rate: 0.2}", "rounds=10"], is_sampled=True
    ),
    "dp-clipped, capped-poisson 0.2": Audited(
        CLIPPED, ["cohort={name: capped-poisson, rate: 0.2, cap: 6}", "rounds=10"], is_sampled=True
    ),
    "dp-clipped, poisson 0.01": Audited(
        CLIPPED, ["cohort={name: poisson, rate: 0.01}", "rounds=10"], is_sampled=True
    ),
}


def noise_of(label: str, epsilon: float) -> float:
    """The noise multiplier of a strategy that does not calculate it."""
    target = PrivacyTarget(DELTA, epsilon)
    if label.startswith("dp-ftrl"):
        full = Sampling("full", CLIENTS, size=CLIENTS)
        return calibrate(lambda z: TreeEvent(z, CLIP_NORM), full, target, 2)
    turns = Sampling("min-separation", CLIENTS, separation=2)
    return calibrate(lambda z: BandedEvent(z, CLIP_NORM, 2), turns, target, 4)


def source_of(label: str, epsilon: float) -> config.Config:
    """The config of an experiment at an epsilon."""
    of = EXPERIMENTS[label]
    noise = noise_of(label, epsilon) if "{noise}" in of.strategy else None
    strategy = of.strategy.format(epsilon=epsilon, noise=noise)
    return config.loads(EXPERIMENT, label, [f"strategy={strategy}", *of.settings])


def rows(labels: Sequence[str], canaries: int, hard_canaries: int) -> Iterator[Row]:
    """One row for each audit of the table."""
    for label in labels:
        for epsilon in EPSILONS:
            source = source_of(label, epsilon)
            for shown, scale in SCALES.items():
                # Only a half of the noise needs the many canaries, where everybody takes part.
                is_hard = shown == "1/2" and not EXPERIMENTS[label].is_sampled
                count = hard_canaries if is_hard else canaries
                begun = time.perf_counter()
                found = audit_experiment(source, canaries=count, noise_scale=scale)
                yield row(label, shown, found) | {"seconds": time.perf_counter() - begun}


def honest(labels: Sequence[str], count: int) -> list[Row]:
    """Audits of the right noise, the experiments in turn."""
    found = []
    for index in range(count):
        label, epsilon = labels[index % len(labels)], EPSILONS[index // len(labels) % 2]
        found.append(row(label, "1", audit_experiment(source_of(label, epsilon))))
        print(f"right noise {index + 1} of {count}: {found[-1]['verdict']}", file=sys.stderr, flush=True)
    return found


def row(label: str, noise: str, found: AuditResult) -> Row:
    """What an audit found."""
    return {
        "experiment": label,
        "claim": found.claim,
        "noise": noise,
        "canaries": found.audit.canaries,
        "epsilon_at_least": found.audit.epsilon,
        "best": found.best,
        "verdict": found.verdict,
    }


def main() -> None:
    """Audit, and print a table or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--canaries", type=int, default=20_000, help="of an audit of the table")
    parser.add_argument(
        "--hard-canaries", type=int, default=160_000, help="for half the noise where everybody takes part"
    )
    parser.add_argument("--honest", type=int, default=40, help="audits of the right noise after the table")
    parser.add_argument("--only", nargs="+", choices=list(EXPERIMENTS), help="these experiments only")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    labels = arguments.only or list(EXPERIMENTS)
    with quiet_imports():
        table = []
        for each in rows(labels, arguments.canaries, arguments.hard_canaries):
            table.append(each)
            print(json.dumps(each), file=sys.stderr, flush=True)
        right = honest(labels, arguments.honest)
    if arguments.json:
        json.dump({"table": table, "honest": right}, sys.stdout, indent=1)
        print()
    else:
        _print(table, right)


def _print(table: Sequence[Row], right: Sequence[Row]) -> None:
    print(
        "| experiment | claim | noise | epsilon at least | best possible | verdict |\n|---|---|---|---|---|---|"
    )
    for each in table:
        bounds = f"{each['epsilon_at_least']:.2f} | {each['best']:.2f}"
        cells = f"{each['claim']:.2f} | {each['noise']} | {each['canaries']:,} | {bounds}"
        print(f"| {each['experiment']} | {cells} | {each['verdict']} |")
    alarms = sum(each["verdict"] == "disproved" for each in right)
    print(f"\n{len(right)} audits of the right noise: {alarms} false alarms")


if __name__ == "__main__":
    main()
