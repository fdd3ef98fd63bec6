"""The tables of docs/metrics.md, made from the declared columns.

Run it at the root of the repository after a column was declared: `python docs/columns.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fedcli.core.column import Column
from fedcli.engine.client_columns import CLIENT_GROUPS
from fedcli.engine.round_columns import AFTER_MECHANISMS, BEFORE_MECHANISMS, Group
from fedcli.experiment.protection.mechanism_columns import MECHANISM_COLUMNS

PAGE = Path("docs/metrics.md")
HEAD = "| column | what it is | unit | better | made from | shown in | runs |"
ROUNDS, CLIENTS = "## metrics.jsonl", "## clients.jsonl"


def page(text: str) -> str:
    """The page with tables of today; `text` is the page with any tables."""
    opening = text[: text.index(ROUNDS)]
    rounds = [*_rows(BEFORE_MECHANISMS), *_rows_of_mechanisms(), *_rows(AFTER_MECHANISMS)]
    return f"{opening}{_section(ROUNDS, rounds)}\n{_section(CLIENTS, list(_rows(CLIENT_GROUPS)))}"


def _section(title: str, rows: list[str]) -> str:
    return "\n".join([title, "", HEAD, "|---" * HEAD.count(" | ") + "|---|", *rows, ""])


def _rows(groups: tuple[Group, ...]) -> Iterator[str]:
    for group in groups:
        yield from (_row(column, group.runs) for column in group.columns)


def _rows_of_mechanisms() -> Iterator[str]:
    for section, columns in MECHANISM_COLUMNS.items():
        yield from (_row(column, f"runs with `{section}`") for column in columns)


def _row(column: Column, runs: str) -> str:
    shown = ["live view"] * (column.live is not None) + ["summary"] * column.in_summary
    better = {"up": "larger", "down": "smaller", "metric": "as the metric", "neither": ""}[column.better]
    cells = (f"`{column.name}`", column.about, column.unit, better, column.source, ", ".join(shown), runs)
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
