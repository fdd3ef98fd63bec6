"""What a section of the report is made of. Texts here are plain: the page escapes them, whoever wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

Value: TypeAlias = str | float | None
Point: TypeAlias = Mapping[str, Value]
"""A row of the numbers behind a chart, by the names of its fields."""


class Cell(NamedTuple):
    """A cell of a table.

    Args:
        text: as it is shown.
        value: by which the table is sorted, and which is downloaded; None for the text itself.
    """

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Text:
    """A paragraph.

    Args:
        text: one or two sentences.
        tone: a remark is smaller; a warning has a frame.
    """

    kind: ClassVar[str] = "text"
    text: str
    tone: Literal["plain", "remark", "warning"] = "plain"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences under a title."""

    kind: ClassVar[str] = "bullets"
    title: str
    items: Sequence[str]


@dataclass(frozen=True)
class Tiles:
    """Large figures beside each other: a label, a value, and a remark below it."""

    kind: ClassVar[str] = "tiles"
    tiles: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Facts:
    """Labels and what is to be said of each, one or more sentences."""

    kind: ClassVar[str] = "facts"
    rows: Sequence[tuple[str, Sequence[str]]]
    title: str = ""


@dataclass(frozen=True)
class SortableTable:
    """A table that its reader can sort and download.

    Args:
        title: what its rows are.
        columns: titles; the first column names the row.
        rows: as many cells as columns.
        caption: what `±` is over, and where the figures are from.
    """

    kind: ClassVar[str] = "table"
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""

    def is_numeric(self, column: int) -> bool:
        """Whether a column has numbers, which are aligned to the right."""
        return column > 0 and any(row[column].value is not None for row in self.rows)


@dataclass(frozen=True)
class View:
    """One way to draw a figure.

    Args:
        label: of the button that chooses it.
        spec: Vega-Lite without data and without configuration. Its field names are ours, never a stranger's.
        points: its numbers.
    """

    label: str
    spec: Mapping[str, Any]
    points: Sequence[Point]


@dataclass(frozen=True)
class Figure:
    """A chart.

    Args:
        title: what is drawn.
        views: at least one; a reader chooses among several.
        caption: what a band or a bar is over.
        legend: the names of the series in the order of their colours; empty for a single one.
    """

    kind: ClassVar[str] = "figure"
    title: str
    views: Sequence[View]
    caption: str = ""
    legend: Sequence[str] = ()


@dataclass(frozen=True)
class Code:
    """Text in a fixed pitch, which can be copied.

    Args:
        title: what it is.
        text: the lines.
        is_folded: whether it is hidden until a reader opens it.
    """

    kind: ClassVar[str] = "code"
    title: str
    text: str
    is_folded: bool = False


@dataclass(frozen=True)
class Folded:
    """Blocks below a title that a reader opens."""

    kind: ClassVar[str] = "folded"
    title: str
    blocks: Sequence[Block]


Block: TypeAlias = Text | Bullets | Tiles | Facts | SortableTable | Figure | Code | Folded


@dataclass(frozen=True)
class PageSection:
    """A section of the page.

    Args:
        title: its heading.
        blocks: what is below; a section without any is left out.
        short: the title in the list of contents.
    """

    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)
    short: str = ""
