"""Reader of csv files: columns of texts, with the line of every row for error messages."""

from __future__ import annotations

import csv
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from fedcli.components.data.datasets.text_column import PIECE_ROWS, TextColumn
from fedcli.core.errors import DataError

MISSING = frozenset({"", "na", "n/a", "nan", "null"})
"""Texts that mean a missing value, in lower case."""


class Table(NamedTuple):
    """A csv file as columns of texts; `lines` holds the line on which each row ends."""

    path: Path
    columns: dict[str, TextColumn]
    lines: Sequence[int]


def read_table(path: Path) -> Table:
    """The columns of a csv file: comma, header, UTF-8 with or without a byte-order mark.

    Raises:
        DataError: if it is absent, is not UTF-8 or not csv, has no row, or a row has too few or too many values.
    """
    if not path.is_file():
        raise DataError(
            f"There is no file {path.absolute()}.",
            key="path",
            hint="Relative paths start at the working directory.",
        )
    try:
        # Spreadsheets often put a byte-order mark at the start of a file.
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header, columns, lines, wrong = _read(stream)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as csv: {error}.", key="path", hint="Save it as UTF-8."
        ) from error
    # Before its names: whatever shows them must know that they are names, and not the first line of another file.
    _check_form(header, path)
    if wrong is not None:
        raise DataError(
            f"Line {wrong.line} of {path} has {wrong.values} values; its header has {len(header)} names.",
            key="path",
            hint="Put quotation marks around values that contain a comma.",
        )
    if not lines:
        raise DataError(f"{path} has a header but no rows; expected examples.", key="path")
    _check_names(header, path)
    return Table(path, dict(zip(header, columns, strict=True)), lines)


def present(table: Table, name: str) -> TextColumn:
    """A column that must have a value in every row.

    Raises:
        DataError: with the line and the column of a missing value.
    """
    texts = table.columns[name]
    if all(MISSING.isdisjoint(map(str.lower, piece)) for piece in texts.pieces()):
        return texts
    line, text = next(
        (line, text) for line, text in zip(table.lines, texts, strict=True) if text.lower() in MISSING
    )
    raise DataError(
        f"Line {line} of {table.path} has no value in the column {name!r}"
        f"{f' but {text!r}' if text else ''}; expected a value in every row.",
        key="path",
        hint="Fill it in, remove the row, or leave the column out with ignore_columns.",
    )


class _WrongRow(NamedTuple):
    line: int
    values: int


def _read(stream: Iterable[str]) -> tuple[list[str], list[TextColumn], array[int], _WrongRow | None]:
    """The header, the columns, the line of each row, and the first row of another length than the header."""
    # Otherwise a quotation mark that is never closed would take in the rest of the file.
    reader = csv.reader(stream, strict=True)
    header = [name.strip() for name in next(reader, [])]
    columns, lines, wrong = [TextColumn() for _ in header], array("q"), None
    numbered = ((reader.line_num, row) for row in reader if row)  # a blank line is not a row
    while piece := list(islice(numbered, PIECE_ROWS)):
        # To the end of the file in any case, which may be no csv from some line on.
        bad = (_WrongRow(line, len(row)) for line, row in piece if len(row) != len(header))
        wrong = wrong or next(bad, None)
        if wrong is None:
            lines.extend(line for line, _ in piece)
            for column, values in zip(columns, zip(*(row for _, row in piece), strict=True), strict=True):
                column.append(map(str.strip, values))
    return header, columns, lines, wrong


def _check_form(header: Sequence[str], path: Path) -> None:
    if not header:
        raise DataError(f"{path} is empty; expected a header and rows.", key="path")
    if len(header) == 1:
        raise DataError(
            f"{path} is not a table: its first line has one value; expected a header of two names or more, separated "
            "by commas.",
            key="path",
            hint="Save it with commas between the columns.",
        )


def _check_names(header: Sequence[str], path: Path) -> None:
    if "" in header:
        raise DataError(
            f"Column {header.index('') + 1} of {path} has no name; expected a name for every column.",
            key="path",
        )
    name, times = Counter(header).most_common(1)[0]
    if times > 1:
        raise DataError(f"{path} has the column {name!r} {times} times; expected distinct names.", key="path")
