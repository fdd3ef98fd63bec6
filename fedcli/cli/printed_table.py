"""Tables on stdout: for a terminal, or as Markdown, CSV or LaTeX to paste elsewhere."""

from __future__ import annotations

import csv
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Literal, TypeAlias

import typer

from fedcli.cli.output import escaped, readable

_SHORTEST = 5
"""Characters of a text that a narrow terminal shows at least."""
_GAP = 2
"""Spaces between columns."""

Cell: TypeAlias = str | int | float | None
Form: TypeAlias = Literal["terminal", "md", "csv", "latex"]

Csv = Annotated[bool, typer.Option("--csv", help="Print the table as CSV.")]
Markdown = Annotated[bool, typer.Option("--md", help="Print the table as Markdown.")]
Latex = Annotated[bool, typer.Option("--latex", help="Print the table as LaTeX, for the package booktabs.")]


def form_of(*, md: bool = False, csv: bool = False, latex: bool = False) -> Form:
    """The form that the options of a command ask for.

    Raises:
        typer.BadParameter: if they ask for more than one.
    """
    asked: dict[Form, bool] = {"md": md, "csv": csv, "latex": latex}
    chosen = [form for form, wanted in asked.items() if wanted]
    if len(chosen) > 1:
        raise typer.BadParameter(f"choose one of {', '.join(f'--{form}' for form in chosen)}.")
    return chosen[0] if chosen else "terminal"


def print_table(
    rows: Sequence[Mapping[str, Cell]],
    form: Form = "terminal",
    *,
    styles: Mapping[str, str] | None = None,
    spare: Sequence[str] = (),
) -> None:
    """Print rows that have the same columns, numbers to the right.

    Args:
        rows: values by the title of their column.
        form: for a terminal, values are shortened; in the other forms, which programs read, they are whole.
        styles: rich's style of a cell, by its text; on a terminal only.
        spare: columns that a narrow terminal leaves out, the least important first. A column without any value is
            always left out. The first column is never cut.
    """
    # A program reads the other forms, in which an end of a line is a part of a cell.
    keep = "" if form == "terminal" else "\n"
    rows = [
        {
            escaped(title): escaped(cell, keep=keep) if isinstance(cell, str) else cell
            for title, cell in row.items()
        }
        for row in rows
    ]
    titles = [
        title for title in (rows[0] if rows else ()) if any(row[title] not in (None, "") for row in rows)
    ]
    if not titles:
        return
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(titles)
        writer.writerows([row[title] for title in titles] for row in rows)
    elif form == "terminal":
        _print(titles, rows, styles or {}, spare)
    else:
        from tabulate import tabulate

        # Text as it is: a name such as 1e5 is not a number.
        made = tabulate(
            [[_whole(row[title], form) for title in titles] for row in rows],
            [_whole(title, form) for title in titles],
            tablefmt="github" if form == "md" else "latex_booktabs",
            disable_numparse=True,
            colalign=["right" if _is_numeric(title, rows) else "left" for title in titles],
        )
        typer.echo(made)


def _print(
    titles: list[str], rows: Sequence[Mapping[str, Cell]], styles: Mapping[str, str], spare: Sequence[str]
) -> None:
    from rich.cells import cell_len
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    texts = {title: [_short(row[title]) for row in rows] for title in titles}
    widths = {title: max(map(cell_len, [title, *texts[title]])) + _GAP for title in titles}
    numeric = {title for title in titles if _is_numeric(title, rows)}
    # Nothing is cut in a pipe, where another program reads.
    if console.is_terminal:
        titles = _fitting(widths, console.width, spare)
        # A number that is cut short is another number; a text may lose its end.
        widths = _narrowed({title: widths[title] for title in titles}, console.width, {titles[0], *numeric})
    # One text and not rich's table, which takes a second for a thousand lines.
    gap = " " * _GAP
    lines = [Text(gap.join(_padded(titles, titles, widths, numeric)).rstrip(), "dim")]
    for row in zip(*(texts[title] for title in titles), strict=True):
        cells = _padded(row, titles, widths, numeric)
        line = Text(gap.join(cells).rstrip())
        for column, text in enumerate(row):
            if text in styles:
                place = sum(len(cell) + _GAP for cell in cells[:column])
                line.stylize(styles[text], place, place + len(text))
        lines.append(line)
    console.print(Text("\n").join(lines), soft_wrap=True)


def _padded(
    cells: Sequence[str], titles: Sequence[str], widths: Mapping[str, int], numeric: Collection[str]
) -> list[str]:
    """Cells as wide as their columns, without the gap; those that are longer end with an ellipsis."""
    from rich.cells import cell_len, set_cell_size

    padded = []
    for title, text in zip(titles, cells, strict=True):
        room = widths[title] - _GAP
        missing = room - cell_len(text)
        if missing < 0:
            padded.append(set_cell_size(text, room - 1) + "…")
        else:
            padded.append(" " * missing + text if title in numeric else text + " " * missing)
    return padded


def _narrowed(widths: Mapping[str, int], room: int, fixed: Collection[str]) -> dict[str, int]:
    """Widths with which the columns fit, as far as those that may be cut have enough to give, the widest first."""
    found = dict(widths)
    while sum(found.values()) - _GAP > room:
        flexible = [title for title in found if title not in fixed and found[title] - _GAP > _SHORTEST]
        if not flexible:
            break
        found[max(flexible, key=found.__getitem__)] -= 1
    return found


def _fitting(widths: Mapping[str, int], room: int, spare: Sequence[str]) -> list[str]:
    """The columns that fit beside each other, without as many of the spare ones as needed."""
    kept = list(widths)
    for title in spare:
        if sum(widths[each] for each in kept) <= room:
            break
        kept = [each for each in kept if each != title]
    return kept


def _is_numeric(title: str, rows: Sequence[Mapping[str, Cell]]) -> bool:
    return all(isinstance(row[title], int | float | None) for row in rows)


def _short(value: Cell) -> str:
    return "" if value is None else readable(value)


def _whole(value: Cell, form: Form) -> str:
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    # tabulate escapes for LaTeX; in Markdown, a bar would begin a new cell.
    return text.replace("|", "\\|").replace("\n", " ") if form == "md" else text
