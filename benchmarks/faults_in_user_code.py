"""What faults in custom components do to a run, as a Markdown table: message, exit code, resumption, bits.

    python benchmarks/faults_in_user_code.py [--only aggregator ...]

Each run has three rounds, and its fault is in the second. Then the component is mended and the run is resumed. The
last model is compared with that of a run that never failed; where the fault rejects a client, with that of a run in
which the same client was rejected for another reason. The exit code of this script is 1 if anything is not as it
should be.
"""

from __future__ import annotations

import argparse
import os
import re
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
data:
  name: "benchmarks.faulty_parts:clouds"
  partition: "benchmarks.faulty_parts:dealt"
  preprocessing: ["benchmarks.faulty_parts:shifted"]
  validation_fraction: 0.2
model: "benchmarks.faulty_parts:network"
client: {optimizer: "benchmarks.faulty_parts:optimizer", schedule: "benchmarks.faulty_parts:schedule"}
cohort: "benchmarks.faulty_parts:cohort"
devices: "benchmarks.faulty_parts:devices"
strategy: "benchmarks.faulty_parts:strategy"
callbacks: ["benchmarks.faulty_parts:callback"]
executor: "benchmarks.faulty_parts:executor"
"""


HEADER = "| fault | first line of the message | exit code | resumes | same bits |\n|---|---|---|---|---|"
PAGE = """# What user code can do wrong

Each of these {count} faults is in a custom component of a small run of three rounds. What goes wrong in a round does so
in the second one. Then the component is mended and the run is resumed, and its last model is compared with that of a
run that never failed; where a client is rejected, with that of a run in which the same client was rejected for another
reason. A run that is refused before it begins leaves no directory. After the first line a message has the line of the
user's code, the run directory and the command to go on with; `--traceback` prints Python's whole traceback.

The table is made by `python benchmarks/faults_in_user_code.py --page docs/faults.md`. What happens in general is in
[custom_components.md](custom_components.md#when-it-fails).

{table}
"""
# The folder of the run, its rounds and its results.
_PROGRESS = re.compile(r"faults: |in (?:/|RUN$)|round \d+/|Done: |Next: |  [a-z/]+ {2,}\S")

# In a note the lines of a message follow each other in one.
_OWN_LINE = re.compile(r"(?:^|; )\s*fedcli/\S+\.py:\d+", re.MULTILINE)


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
    parser.add_argument("--page", type=Path, help="write the table, with its page around it, to this file")
    asked = parser.parse_args()
    faults = [each for each in parts.FAULTS if not asked.only or each[0] in asked.only]
    table, bad = [HEADER], 0
    print(HEADER, flush=True)
    for row in outcomes(faults):
        said = (row.message or "-").splitlines()[0].strip().replace("|", "\\|").replace("<", "&lt;")
        table.append(f"| {row.fault} | {said} | {row.exit_code} | {row.resumes} | {row.bits} |")
        print(table[-1], flush=True)
        if row.complaint:
            bad += 1
            print(f"{row.fault}: {row.complaint}\n{row.message}", file=sys.stderr)
    print(f"\n{len(faults)} faults, {bad} not as they should be.")
    if asked.page:
        asked.page.write_text(PAGE.format(count=len(faults), table="\n".join(table)), encoding="utf-8")
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
            message = (output if code else "\n".join(_notes(folder)) or "-").replace(str(folder), "RUN")
            if code and folder.exists():
                again, output_again = invoke(["run", "--resume", str(folder)])
                resumes = "yes" if again == 0 else "no"
                complaint += "" if again == 0 else f"resumed with exit code {again}: {output_again}; "
            elif code == 0 and what in parts.REJECTING and where == "client":
                rejecting.append(_read(folder))
                reference = rejecting[0]
            if "Traceback" in message or (code and len(_of_the_error(message)) > LONGEST):
                complaint += "the message is too long; "
            if _OWN_LINE.search(message):
                complaint += "the message has a line of fedcli, and none of the user; "
            same = "no run was begun"
            if folder.exists():
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
    lines = [line.strip() for line in output.splitlines() if line.strip() and not _PROGRESS.match(line)]
    lines = [line for line in lines if not line.startswith("--traceback")]
    # An error of the config begins with its place in the file.
    if lines and ".yaml:" in lines[0] and len(lines) > 1:
        return [f"{lines[0].rpartition('/')[2]}: {lines[1]}", *lines[2:]]
    return lines


def _notes(folder: Path) -> list[str]:
    """Why a round was not as planned, or why its client was rejected."""
    import fedcli

    notes = [str(row["note"]) for row in directory.read_records(folder) if row.get("note")]
    rows = fedcli.open_run(folder).clients().to_dict("records")
    refused = [
        f"rejected: client {row['client']}: {row['reason']}" for row in rows if _is_text(row.get("reason"))
    ]
    return (notes or refused)[:1]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


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
