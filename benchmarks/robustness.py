"""Final test accuracy of defences under attacks, as a Markdown table; a fifth of the clients is malicious.

    python benchmarks/robustness.py [--setting one-step] [--seeds 7 8 9] [--defences median ...] [--attacks alie ...]

Every cell has a run of configs/attacks/robustness.yaml for each seed, with the overrides of the setting, the defence
and the attack, in a directory of its own. What is finished is not run again and what was stopped goes on, so the
command can be repeated. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from fedcli import config
from fedcli.cli.output import quiet_imports
from fedcli.core.errors import FedcliError
from fedcli.runs import lifecycle
from fedcli.store import directory

BASE = Path(__file__).parent.parent / "configs" / "attacks" / "robustness.yaml"
LAST = 5
"""Evaluated rounds at the end whose mean is the figure of a run."""

DEFENCES = {
    "mean": "{name: mean}",
    "median": "{name: median}",
    "trimmed-mean": "{name: trimmed-mean, trim: 0.2}",
    "multi-krum": "{name: multi-krum, num_byzantine: 5}",
    "sign-guard": "{name: sign-guard}",
    "dnc": "{name: dnc, num_byzantine: 5}",
}
ATTACKS = {
    "none": "null",
    "sign-flip": "{name: sign-flip, share: 0.2, scale: 4.0}",
    "ipm": "{name: ipm, share: 0.2, epsilon: 0.1}",
    "alie": "{name: alie, share: 0.2, z: 1.5}",
    "alie-plus": "{name: alie, share: 0.2, z: 1.5, direction: plus}",
    "min-max": "{name: min-max, share: 0.2, direction: unit}",
    "backdoor": "{name: backdoor, share: 0.2, boost: 5.0}",
}

SETTINGS: dict[str, list[str]] = {
    "epoch": [],
    # Every small shift is released before any local training can correct it.
    "one-step": [
        "rounds=300",
        "client.epochs=null",
        "client.steps=1",
        "client.batch_size=64",
        "model=logistic",
        "evaluation.every=10",
    ],
}

Row = dict[str, Any]


def cell(overrides: list[str], folder: Path) -> list[Row]:
    """The records of a run's rounds: those of its run directory, or of a run that is made now.

    Raises:
        FedcliError: if the directory holds a run of another config.
    """
    source = config.load(BASE, overrides)
    if not folder.exists():
        return lifecycle.start_run(source, folder).records
    if config.load(folder / "config.yaml").experiment != source.experiment:
        raise FedcliError(
            f"{folder} is a run of another config; remove it, or name another place with --runs."
        )
    if source.experiment.rounds not in directory.finished_rounds(folder):
        return lifecycle.resume_run(folder).records
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def figures(runs: list[list[Row]]) -> str:
    """Mean and deviation over seeds of the test accuracy in percent, and of the success rate if the attack has one."""
    said = in_percent([last_mean(records, "test/accuracy") for records in runs])
    if "attack/success_rate" not in runs[0][-1]:
        return said
    return f"{said} ({in_percent([last_mean(records, 'attack/success_rate') for records in runs])})"


def last_mean(records: list[Row], name: str) -> float:
    """Mean of a figure over the last rounds that have it."""
    return statistics.mean([record[name] for record in records if name in record][-LAST:])


def in_percent(values: list[float]) -> str:
    """Mean and sample standard deviation over seeds."""
    mean = f"{100 * statistics.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {100 * statistics.stdev(values):.1f}"


def table(cells: dict[tuple[str, str], str], defences: list[str], attacks: list[str]) -> str:
    """The cells as Markdown, a row for each defence."""
    rows = [["defence", *attacks], ["---"] * (1 + len(attacks))]
    rows += [[defence, *(cells[defence, attack] for attack in attacks)] for defence in defences]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def folder_of(runs: Path, setting: str, seed: int, name: str) -> Path:
    """The directory of a run; its parents exist."""
    parent = runs / f"{setting}-seed{seed}"
    parent.mkdir(parents=True, exist_ok=True)
    return parent / name


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--setting", choices=SETTINGS, default="epoch", help="local work of a round")
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9], help="one run of a cell each")
    parser.add_argument("--runs", type=Path, default=Path("runs/robustness"))
    parser.add_argument("--defences", nargs="+", choices=DEFENCES, default=list(DEFENCES))
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=list(ATTACKS))
    asked = parser.parse_args()
    cells = {}
    try:
        with quiet_imports():
            import tensorflow  # noqa: F401
        for attack in asked.attacks:
            for defence in asked.defences:
                parts = [
                    f"strategy={DEFENCES[defence]}",
                    f"attack={ATTACKS[attack]}",
                    *SETTINGS[asked.setting],
                ]
                runs = [
                    cell(
                        [*parts, f"seed={seed}"],
                        folder_of(asked.runs, asked.setting, seed, f"{defence}-{attack}"),
                    )
                    for seed in asked.seeds
                ]
                cells[defence, attack] = figures(runs)
                print(f"{defence:<13} {attack:<10} {cells[defence, attack]}", file=sys.stderr, flush=True)
    except FedcliError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(table(cells, asked.defences, asked.attacks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
