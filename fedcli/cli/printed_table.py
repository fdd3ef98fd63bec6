"""Tables on stdout: for a terminal, or as Markdown, CSV or LaTeX to paste elsewhere."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeAlias

import typer

from fedcli.cli.output import escaped, readable

_SHORTEST = 5
"""Characters of a text that a narrow terminal shows at least."""

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
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    texts = {title: [_short(row[title]) for row in rows] for title in titles}
    widths = {title: max(map(len, [title, *texts[title]])) + 2 for title in titles}
    if console.is_terminal:
        kept = _fitting(widths, console.width, spare)
    else:
        # Nothing is cut in a pipe, where another program reads.
        kept, console = titles, Console(highlight=False, width=sum(widths.values()))
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for title in kept:
        # A number that is cut short is another number; a text may lose its end.
        is_numeric = _is_numeric(title, rows)
        table.add_column(
            title,
            justify="right" if is_numeric else "left",
            no_wrap=True,
            min_width=widths[title] - 2
            if is_numeric or title == titles[0]
            else min(widths[title] - 2, _SHORTEST),
        )
    for cells in zip(*(texts[title] for title in kept), strict=True):
        table.add_row(*(Text(text, style=styles.get(text, "")) for text in cells))
    console.print(table)


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
