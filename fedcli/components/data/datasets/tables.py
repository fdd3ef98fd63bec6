"""Reader of csv files: columns of texts, with the line of every row for error messages."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from fedcli.core.errors import DataError

MISSING = frozenset({"", "na", "n/a", "nan", "null"})
"""Texts that mean a missing value, in lower case."""


class Table(NamedTuple):
    """A csv file as columns of texts; `lines` holds the line on which each row ends."""

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]


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
            header, lines, rows = _read(stream)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as csv: {error}.", key="path", hint="Save it as UTF-8."
        ) from error
    # Before its names: whatever shows them must know that they are names, and not the first line of another file.
    _check_form(header, path)
    _check_rows(rows, lines, header=header, path=path)
    _check_names(header, path)
    columns = (list(values) for values in zip(*rows, strict=True))
    return Table(path, dict(zip(header, columns, strict=True)), lines)


def present(table: Table, name: str) -> list[str]:
    """A column that must have a value in every row.

    Raises:
        DataError: with the line and the column of a missing value.
    """
    for line, text in zip(table.lines, table.columns[name], strict=True):
        if text.lower() in MISSING:
            raise DataError(
                f"Line {line} of {table.path} has no value in the column {name!r}"
                f"{f' but {text!r}' if text else ''}; expected a value in every row.",
                key="path",
                hint="Fill it in, remove the row, or leave the column out with ignore_columns.",
            )
    return table.columns[name]


def _read(stream: Iterable[str]) -> tuple[list[str], list[int], list[list[str]]]:
    # Otherwise a quotation mark that is never closed would take in the rest of the file.
    reader = csv.reader(stream, strict=True)
    header = [name.strip() for name in next(reader, [])]
    seen: dict[str, str] = {}
    # Equal texts share one string object: a category that occurs a million times costs a pointer each time.
    numbered = [
        (reader.line_num, [seen.setdefault(text, text) for text in map(str.strip, row)])
        for row in reader
        if row  # a blank line is not a row
    ]
    return header, [line for line, _ in numbered], [row for _, row in numbered]


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


def _check_rows(
    rows: Sequence[list[str]], lines: Sequence[int], *, header: Sequence[str], path: Path
) -> None:
    if not rows:
        raise DataError(f"{path} has a header but no rows; expected examples.", key="path")
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise DataError(
                f"Line {line} of {path} has {len(row)} values; its header has {len(header)} names.",
                key="path",
                hint="Put quotation marks around values that contain a comma.",
            )
