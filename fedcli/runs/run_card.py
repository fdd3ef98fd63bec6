"""A run in a line, and as a small table for a notebook."""

from __future__ import annotations

import html
from pathlib import Path
from typing import NamedTuple

from fedcli.core.errors import FedcliError
from fedcli.runs.run_list import State, entry_of


class RunCard(NamedTuple):
    """What a person wants to know first of a run.

    Args:
        folder: its run directory.
        state: what became of it.
        facts: names and texts, the most important first; empty if its files cannot be read.
    """

    folder: Path
    state: State
    facts: dict[str, str]

    def in_a_line(self) -> str:
        """The card as the `repr` of a run."""
        said = "".join(f", {name} {text}" for name, text in self.facts.items())
        return f"<fedcli run {self.folder}: {self.state}{said}>"

    def in_html(self) -> str:
        """The card as a table in HTML. Whoever wrote the run chose its texts, so that all are escaped."""
        rows = {"run": str(self.folder), "state": self.state, **self.facts}
        lines = [
            f'<tr><th style="text-align:left">{html.escape(name)}</th>'
            f'<td style="text-align:left">{html.escape(text)}</td></tr>'
            for name, text in rows.items()
        ]
        return f"<table>{''.join(lines)}</table>"


def run_card(folder: Path) -> RunCard:
    """The card of a run; of one that cannot be read too, because a notebook shows every value."""
    try:
        entry = entry_of(folder)
    except (FedcliError, OSError):
        return RunCard(folder, "damaged", {})
    summary = entry.summary
    if summary is None:
        return RunCard(folder, entry.state, {})
    facts = {
        "config": summary.name,
        "strategy": summary.strategy,
        "rounds": f"{summary.rounds:,} of {summary.planned:,}",
    }
    if figures := summary.figures:
        best = f" (best {figures.best:.4g} in round {figures.best_round:,})"
        facts[figures.column] = f"{figures.last:.4g}{best}"
    if summary.epsilon is not None:
        facts["epsilon"] = f"{summary.epsilon:.4g}"
    return RunCard(folder, entry.state, facts)
