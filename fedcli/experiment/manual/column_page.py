"""Pages of the columns of metrics.jsonl and clients.jsonl, made of their declarations."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fedcli.core.column import Column
from fedcli.engine.client_columns import CLIENT_GROUPS
from fedcli.engine.round_columns import AFTER_MECHANISMS, BEFORE_MECHANISMS
from fedcli.experiment.manual.manual_page import Page
from fedcli.experiment.protection.mechanism_columns import MECHANISM_COLUMNS

_BETTER = {
    "up": "a larger value is better",
    "down": "a smaller value is better",
    "metric": "as for the metric in its name",
    "neither": "",
}
_SOURCES = {
    "config": "the config and the number of rounds",
    "model": "the released model and the central test set",
    "cohort": "the planned cohort",
    "data": "the clients' data or their participation",
}


def column_pages() -> Iterator[Page]:
    """The pages of all columns, in the order of docs/metrics.md."""
    for group in BEFORE_MECHANISMS:
        yield from (_page(column, group.runs) for column in group.columns)
    for section, columns in MECHANISM_COLUMNS.items():
        yield from (_page(column, f"runs with `{section}`") for column in columns)
    for group in (*AFTER_MECHANISMS, *CLIENT_GROUPS):
        yield from (_page(column, group.runs) for column in group.columns)


def is_column(page: Page, name: str) -> bool:
    """Whether the page is that of a column of this name, such as test/accuracy of the page test/<metric>."""
    pattern = re.sub(
        r"<\w+>", r"[\\w-]+", re.sub(r"([./])", r"\\\1", page.name.replace("<decile>", "p(?:10|50|90)"))
    )
    return page.name == name or re.fullmatch(pattern, name) is not None


def _page(column: Column, runs: str) -> Page:
    facts = (
        ("unit", column.unit), ("better", _BETTER[column.better]), ("made from", _SOURCES[column.source]),
        ("runs", runs),
    )  # fmt: skip
    return Page(
        f"column of {column.file}",
        column.name,
        f"{column.about[0].upper()}{column.about[1:]}.",
        facts=tuple((label, text) for label, text in facts if text),
    )
