"""docs/benchmarks.md: the figures of one run, each with its mark, and on what they were measured."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchmarks.figures import Figure
from benchmarks.topics import ROOT, TOPICS
from fedcli.core.machine import available_cores, available_memory, processor_name
from fedcli.runs.code_version import git_state

PAGE = ROOT / "docs" / "benchmarks.md"
PACKAGES = ("tensorflow", "keras", "numpy")
COLUMNS = ("what", "figure", "mark", "met", "details")


def facts_of_machine() -> dict[str, Any]:
    """Date, commit and machine, taken before the first measurement."""
    state = git_state(ROOT)
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": state,
        "processor": processor_name(),
        "cores": available_cores(),
        "memory_bytes": available_memory(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def is_busy(machine: Mapping[str, Any]) -> bool:
    """Whether something else took half a core in the minute before the start, which itself takes a quarter."""
    return machine["load"] is not None and machine["load"] > 0.5


def written(machine: Mapping[str, Any], figures: Mapping[str, Sequence[Figure]], *, quick: bool) -> str:
    """The page, a section for each topic."""
    rows = [figure for each in figures.values() for figure in each]
    met = sum(figure.is_met is True for figure in rows)
    marked = sum(figure.is_met is not None for figure in rows)
    missing = sum(figure.value is None for figure in rows)
    left_out = [topic.title for name, topic in TOPICS.items() if name not in figures]
    warnings = []
    if quick:
        warnings.append(
            "**These figures are of a quick run**, which shows that everything works and not how fast it is."
        )
    if is_busy(machine):
        warnings.append(
            f"**The machine was busy**: its load was {machine['load']:.1f} before the start, so that the figures say "
            "little."
        )
    memory = machine["memory_bytes"]
    lines = [
        "# Benchmarks",
        "",
        "`python -m benchmarks` measures everything on this page in one run, and writes it. A figure is a ratio of two",
        "things that were measured in turn, wherever there is something to compare with. What each program does is in",
        "[benchmarks/README.md](../benchmarks/README.md).",
        "",
        *(line for warning in warnings for line in (warning, "")),
        f"Of {marked} marks {met} are met; {missing} rows could not be measured, and say why.",
        *([f"Not part of this run: {'; '.join(left_out)}."] if left_out else ()),
        "",
        f"- {machine['date']}, commit {_commit(machine['commit'])}",
        f"- {machine['processor']}, {machine['cores']} cores"
        + (f", {memory / 1e9:.0f} GB of free memory" if memory else "")
        + ("" if machine["load"] is None else f", load {machine['load']:.2f} before the start"),
        f"- Python {platform.python_version()}, "
        + ", ".join(f"{name} {number}" for name, number in machine["packages"].items()),
    ]
    for name, each in figures.items():
        topic = TOPICS[name]
        cells = [(_cell(row.what), row.shown, row.mark, row.verdict, _cell(row.note)) for row in each]
        table = tabulate(cells, headers=COLUMNS, tablefmt="github", disable_numparse=True)
        lines += ["", f"## {topic.title}", "", topic.about, "", table]
    return "\n".join(lines) + "\n"


def _commit(state: Mapping[str, Any] | None) -> str:
    if not state:
        return "unknown"
    return f"{str(state['commit'])[:10]}{' with changes' if state['is_dirty'] else ''}"


def _cell(text: str) -> str:
    """One line without what would end a cell."""
    return " ".join(text.replace("|", "/").split())


def write(path: Path, text: str) -> None:
    """Write the page."""
    path.write_text(text, encoding="utf-8")
