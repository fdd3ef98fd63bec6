"""Checks what a run leaves for people at its end: results.csv and summary.json are made again from metrics.jsonl.

No checkpoint binds them, and `fedcli runs` shows the summary. They are wrong where they do not follow from the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fedcli.config import Experiment
from fedcli.engine.records import Row
from fedcli.runs.results_table import results_table
from fedcli.runs.summary import FORMAT, encode, summary_of
from fedcli.runs.verification.report import Finding, skipped
from fedcli.store import directory
from fedcli.store.files import guarded, limits
from fedcli.store.files.canonical_json import parse_written, written

WHAT = "table and summary"
_SUCH = "a run that goes on and is killed leaves such a one"


def checked_outcome(run: Path, experiment: Experiment) -> Iterator[Finding]:
    """Make results.csv and summary.json again, where they are there, and compare.

    Args:
        run: the run directory.
        experiment: its config.
    """
    records = directory.read_rounds(run)
    is_late = False
    if guarded.exists(run / directory.SUMMARY, below=run):
        said = _read(run)
        is_late = isinstance(said, dict) and said.get("log_bytes") != _log_bytes(run)
        yield said if isinstance(said, Finding) else _summary(said, run, experiment, records, is_late=is_late)
    if guarded.exists(run / directory.RESULTS, below=run):
        yield _table(run, records, is_late=is_late)
    if guarded.exists(run / directory.CURVES, below=run):
        sentence = f"{directory.CURVES} is a picture, and was not compared with the rounds."
        yield Finding(WHAT, None, directory.CURVES, sentence=sentence)


def _read(run: Path) -> dict[str, Any] | Finding:
    content = guarded.read_bytes(run / directory.SUMMARY, below=run, limit=limits.RECORD)
    try:
        return parse_written(content, indent=1)
    except ValueError as error:
        return _broken(directory.SUMMARY, str(error))


def _log_bytes(run: Path) -> int | None:
    # The check of the logs says what is wrong with one that is not there.
    log = run / directory.METRICS
    return log.lstat().st_size if guarded.is_file(log, below=run) else None


def _summary(
    said: dict[str, Any], run: Path, experiment: Experiment, records: Sequence[Row], *, is_late: bool
) -> Finding:
    name = directory.SUMMARY
    if is_late:
        sentence = f"{name} is of a log of another length, so that no command shows it; {_SUCH}."
        return Finding(WHAT, None, name, sentence=sentence)
    # Why a run ended is in no other file.
    ending = said.get("ending")
    if not (ending is None or isinstance(ending, str)):
        return _broken(name, "has an ending that is not text")
    # A summary of an earlier version says less.
    format = 1 if said.get("format") == 1 and type(said["format"]) is int else FORMAT
    rounds = directory.whole_rounds(run)
    made = encode(summary_of(experiment, records, ending, said["log_bytes"], rounds), format)
    expected = parse_written(made, indent=1)
    found = [key for key in expected if key not in said or said[key] != expected[key]]
    # Compared as bytes, because Python takes True for 1.
    if written(said, indent=1) == made:
        return Finding(WHAT, None, name)
    others = "the form of its values"
    return _broken(
        name, f"does not say what follows from the config and the rounds: {', '.join(found) or others}"
    )


def _table(run: Path, records: Sequence[Row], *, is_late: bool) -> Finding:
    name = directory.RESULTS
    content = guarded.read_bytes(run / name, below=run, limit=limits.BINARY)
    header = content.partition(b"\n")[0].decode("utf-8", "replace").split(",")
    # Their order is that of the run's mechanisms, which a custom one may add to.
    made = results_table(records, dict.fromkeys(header)).encode()
    if content == made:
        return Finding(WHAT, None, name)
    if is_late:
        return skipped(
            WHAT,
            name,
            f"whether {name} is right",
            f"{directory.SUMMARY} is of a log of another length; {_SUCH}",
        )
    pairs = zip(content.splitlines(), made.splitlines(), strict=False)
    line = next((number for number, (one, other) in enumerate(pairs, 1) if one != other), None)
    where = "has another number of lines than" if line is None else f"differs in line {line} from what is in"
    return _broken(name, f"{where} {directory.METRICS}")


def _broken(name: str, reason: str) -> Finding:
    return Finding(WHAT, None, name, holds=False, sentence=f"{name} {reason}.")
