"""Final test accuracy of defences under attacks, as a Markdown table; a fifth of the clients is malicious.

    python benchmarks/robustness.py [--runs runs/robustness] [--defences median ...] [--attacks alie ...]

Every cell is a run of configs/attacks/robustness.yaml with the two overrides below, in a directory of its own. What
is finished is not run again and what was stopped goes on, so the command can be repeated. See benchmarks/README.md.
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
"""Rounds at the end whose mean is the figure of a cell."""

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
    "min-max": "{name: min-max, share: 0.2, direction: unit}",
    "backdoor": "{name: backdoor, share: 0.2, boost: 5.0}",
}

Row = dict[str, Any]


def cell(defence: str, attack: str, folder: Path) -> list[Row]:
    """The records of a cell's rounds: those of its run directory, or of a run that is made now.

    Raises:
        FedcliError: if the directory holds a run of another config.
    """
    source = config.load(BASE, [f"strategy={DEFENCES[defence]}", f"attack={ATTACKS[attack]}"])
    if not folder.exists():
        return lifecycle.start_run(source, folder).records
    if config.load(folder / "config.yaml").experiment != source.experiment:
        raise FedcliError(
            f"{folder} is a run of another config; remove it, or name another place with --runs."
        )
    if source.experiment.rounds not in directory.finished_rounds(folder):
        return lifecycle.resume_run(folder).records
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def figures(records: list[Row]) -> str:
    """Mean test accuracy of the last rounds in percent, and the success rate where the attack has one."""
    said = f"{100 * statistics.mean(record['test/accuracy'] for record in records[-LAST:]):.1f}"
    if "attack/success_rate" not in records[-1]:
        return said
    rate = statistics.mean(record["attack/success_rate"] for record in records[-LAST:])
    return f"{said} ({100 * rate:.1f})"


def table(cells: dict[tuple[str, str], str], defences: list[str], attacks: list[str]) -> str:
    """The cells as Markdown, a row for each defence."""
    rows = [["defence", *attacks], ["---"] * (1 + len(attacks))]
    rows += [[defence, *(cells[defence, attack] for attack in attacks)] for defence in defences]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/robustness"))
    parser.add_argument("--defences", nargs="+", choices=DEFENCES, default=list(DEFENCES))
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=list(ATTACKS))
    asked = parser.parse_args()
    cells = {}
    asked.runs.mkdir(parents=True, exist_ok=True)
    try:
        with quiet_imports():
            import tensorflow  # noqa: F401
        for attack in asked.attacks:
            for defence in asked.defences:
                cells[defence, attack] = figures(cell(defence, attack, asked.runs / f"{defence}-{attack}"))
                print(f"{defence:<13} {attack:<10} {cells[defence, attack]}", file=sys.stderr, flush=True)
    except FedcliError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(table(cells, asked.defences, asked.attacks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
