"""The runs in a folder, newest first, and the names by which a person calls them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from fedcli.core.errors import FedcliError
from fedcli.runs.summary import RUINED, Planned, Summary, read_summary, summary_of, summary_of_plan
from fedcli.store import directory
from fedcli.store.files import guarded, locks

State: TypeAlias = Literal["running", "done", "interrupted", "ruined", "damaged"]
_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"


class Entry(NamedTuple):
    """A run in a list.

    Args:
        number: 1 for the newest run.
        short: a name that can be pronounced; the same for ever.
        folder: the run directory.
        state: whether a process holds it, it is done, it was interrupted, a round would have ruined its model, or its
            files cannot be read.
        begun: when its folder was made.
        summary: what it reached; None if its files cannot be read.
    """

    number: int
    short: str
    folder: Path
    state: State
    begun: datetime
    summary: Summary | None


def list_runs(root: Path) -> list[Entry]:
    """The runs in a folder, newest first; folders without a config.yaml are no runs."""
    begun = {folder: _begun(folder) for folder in run_folders(root)}
    # By name where two began in one second, since the second one has a number after the time.
    newest = sorted(begun, key=lambda folder: (begun[folder], folder.name), reverse=True)
    return [_entry(number, folder, begun[folder]) for number, folder in enumerate(newest, 1)]


def run_folders(root: Path) -> Iterator[Path]:
    """The run directories in a folder, in any order; nothing of them is read."""
    try:
        folders = [Path(each.path) for each in os.scandir(root) if each.is_dir()]
    except FileNotFoundError:
        return
    yield from (folder for folder in folders if guarded.is_file(folder / directory.CONFIG, below=folder))


def short_name(run_id: str) -> str:
    """Two words of five letters for a run's random name, from its SHA-256; the same for ever."""
    bits = int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:4])
    return f"{proquint(bits >> 16)}-{proquint(bits & 0xFFFF)}"


def proquint(bits: int) -> str:
    """16 bits as a word of five letters that can be pronounced.

    Reference: Wilkerson 2009, arXiv:0901.4016.
    """
    letters = (
        (_CONSONANTS, 12, 15),
        (_VOWELS, 10, 3),
        (_CONSONANTS, 6, 15),
        (_VOWELS, 4, 3),
        (_CONSONANTS, 0, 15),
    )
    return "".join(table[bits >> shift & mask] for table, shift, mask in letters)


def entry_of(folder: Path, number: int = 1) -> Entry:
    """One run directory, as it would be in a list."""
    return _entry(number, folder, _begun(folder))


def _begun(folder: Path) -> datetime:
    # environment.json is written once, when the run starts.
    try:
        seconds = (folder / directory.ENVIRONMENT).lstat().st_mtime
    except OSError:
        seconds = folder.lstat().st_mtime
    return datetime.fromtimestamp(seconds, UTC)


def _entry(number: int, folder: Path, begun: datetime) -> Entry:
    try:
        short = short_name(directory.read_run(folder))
        summary = read_summary(folder) or _summarised(folder)
    except (FedcliError, ValueError):
        return Entry(number, "", folder, "damaged", begun, None)
    return Entry(
        number, short, folder, "running" if locks.is_held(folder) else _ended(summary), begun, summary
    )


def _ended(summary: Summary) -> State:
    if summary.ending is not None and summary.ending.startswith(RUINED):
        return "ruined"
    return "done" if summary.ending is not None or summary.rounds >= summary.planned else "interrupted"


def _summarised(folder: Path) -> Summary:
    """The summary of a run that goes on, was killed, or was made by an earlier version."""
    # Here, so that a list of runs that have a summary comes at once.
    from fedcli import config
    from fedcli.config.yaml.tree import parse, plain

    text, records = directory.config_text(folder), directory.read_rounds(folder)
    node = parse(text, lambda line, column: config.Place(directory.CONFIG, line, column)).node
    # In the form in which a run writes it, four values say all, and the parts of the config need not be loaded.
    match plain(node) if node else None:
        case {
            "name": str(name),
            "rounds": int(rounds),
            "strategy": {"name": str(strategy)},
            "early_stop": None,
        }:
            more = directory.planned_rounds(folder) or rounds
            return summary_of_plan(Planned(name, strategy, more), records, None, 0)
        case _:
            from fedcli.runs.extension import extended

            experiment = config.loads(text, directory.CONFIG, imports=False).experiment
            return summary_of(extended(experiment, folder), records, None, 0)
