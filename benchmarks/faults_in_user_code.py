"""What forty faults in custom components do to a run, as a Markdown table: message, exit code, resumption, bits.

    python benchmarks/faults_in_user_code.py [--only aggregator ...]

Each run has three rounds, and its fault is in the second. Then the component is mended and the run is resumed. The
last model is compared with that of a run that never failed; where the fault rejects a client, with that of a run in
which the same client was rejected for another reason. The exit code of this script is 1 if anything is not as it
should be.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks import faulty_parts as parts
from fedcli.store import directory

LONGEST = 8
"""Lines that a message may have."""

YAML = """
name: faults
seed: 7
rounds: 3
data: {name: "benchmarks.faulty_parts:clouds", partition: {name: iid, clients: 4}, validation_fraction: 0.2}
model: {name: logistic}
client: {optimizer: {name: sgd, learning_rate: 0.1}, schedule: "benchmarks.faulty_parts:schedule"}
cohort: "benchmarks.faulty_parts:cohort"
devices: "benchmarks.faulty_parts:devices"
strategy: "benchmarks.faulty_parts:strategy"
callbacks: ["benchmarks.faulty_parts:callback"]
executor: {name: threads, workers: 2}
"""


class Outcome(NamedTuple):
    """What became of a run with a fault."""

    fault: str
    message: str
    exit_code: int
    resumes: str
    bits: str
    complaint: str


def main() -> int:
    """Print the table; 1 if a row of it is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="*", help="the places of faults, such as aggregator")
    wanted = parser.parse_args().only
    faults = [each for each in parts.FAULTS if not wanted or each[0] in wanted]
    print(
        "| fault | exit code | lines | resumes | same bits | message |\n|---|---|---|---|---|---|", flush=True
    )
    bad = 0
    for row in outcomes(faults):
        said = " / ".join(line.strip() for line in row.message.splitlines()[:2]).replace("|", "\\|")
        lines = len(row.message.splitlines())
        print(
            f"| {row.fault} | {row.exit_code} | {lines} | {row.resumes} | {row.bits} | {said[:150]} |",
            flush=True,
        )
        if row.complaint:
            bad += 1
            print(f"{row.fault}: {row.complaint}\n{row.message}", file=sys.stderr)
    print(f"\n{len(faults)} faults, {bad} not as they should be.")
    return min(bad, 1)


def outcomes(faults: list[parts.Fault]) -> Iterator[Outcome]:
    """Run each fault, and mend it."""
    with tempfile.TemporaryDirectory() as place:
        here, config = Path.cwd(), Path(place) / "faults.yaml"
        config.write_text(YAML, encoding="utf-8")
        invoke = _invoker()
        whole = _weights(invoke, config, Path(place) / "whole")
        rejecting: list[np.ndarray[Any, Any]] = []
        for number, (where, what, expected) in enumerate(faults):
            folder = Path(place) / f"run-{number}"
            os.environ[parts.SWITCH] = f"{where}:{what}"
            code, output = invoke(["run", str(config), "--run-dir", str(folder)])
            os.environ[parts.SWITCH] = ""
            os.chdir(here)
            complaint, resumes, reference = "", "-", whole
            if code != expected:
                complaint = f"exit code {code}, {expected} is expected; "
            message = output if code else "\n".join(_notes(folder))
            if code and folder.exists():
                again, output_again = invoke(["run", "--resume", str(folder)])
                resumes = "yes" if again == 0 else "no"
                complaint += "" if again == 0 else f"resumed with exit code {again}: {output_again}; "
            elif code == 0 and what in parts.REJECTING and where == "client":
                rejecting.append(_read(folder))
                reference = rejecting[0]
            if "Traceback" in message or (code and len(_of_the_error(message)) > LONGEST):
                complaint += "the message is too long; "
            if not folder.exists():
                same = "no run"
            elif what in parts.VOID or (code == 0 and (where, what) in parts.CHANGES):
                same = "-"
            else:
                same = "yes" if np.array_equal(_read(folder), reference) else "no"
                complaint += "the model has other bits; " if same == "no" else ""
            yield Outcome(
                f"{where}: {what}", "\n".join(_of_the_error(message)), code, resumes, same, complaint
            )


def _invoker() -> Callable[[list[str]], tuple[int, str]]:
    from typer.testing import CliRunner

    from fedcli.cli.app import app

    def invoke(arguments: list[str]) -> tuple[int, str]:
        result = CliRunner().invoke(app, arguments)
        text = result.output
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            text += f"Traceback: {result.exception!r}"
        return result.exit_code, text

    return invoke


def _of_the_error(output: str) -> list[str]:
    """The lines of the output that are not the progress of the run."""
    shown = ("round ", "  run ", "  head ", "experiment ", "faults")
    lines = [line for line in output.splitlines() if line.strip()]
    starts = [
        i for i, line in enumerate(lines) if "failed" in line or "Interrupted" in line or "Traceback" in line
    ]
    return lines[starts[0] :] if starts else [line for line in lines if not line.startswith(shown)]


def _notes(folder: Path) -> list[str]:
    return [str(row["note"]) for row in directory.read_records(folder) if row.get("note")][:1]


def _weights(
    invoke: Callable[[list[str]], tuple[int, str]], config: Path, folder: Path
) -> np.ndarray[Any, Any]:
    os.environ[parts.SWITCH] = ""
    code, output = invoke(["run", str(config), "--run-dir", str(folder)])
    if code:
        raise SystemExit(output)
    return _read(folder)


def _read(folder: Path) -> np.ndarray[Any, Any]:
    import fedcli

    weights = fedcli.open_run(folder).weights()
    return np.concatenate([np.ravel(value) for _, value in sorted(weights.items())])


if __name__ == "__main__":
    sys.exit(main())
