"""`fedcli runs`: the runs in a folder, newest first."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fedcli.cli.output import Json, print_json, print_message, reported
from fedcli.cli.printed_table import Cell, Csv, Markdown, form_of, print_table

if TYPE_CHECKING:
    from fedcli.runs.run_list import Entry

_STYLES = {"running": "cyan", "interrupted": "yellow", "ruined": "red", "damaged": "bold red"}
_SPARE = ("strategy", "metric", "time", "epsilon", "last", "rounds", "config")
Sort = Literal["age", "name", "strategy", "rounds", "best", "last", "epsilon", "seconds"]


def runs(
    folder: Annotated[Path, typer.Option(help="The folder that has the run directories.")] = Path("runs"),
    name: Annotated[
        str | None,
        typer.Option(help="Only runs whose config or strategy has this in its name.", show_default=False),
    ] = None,
    state: Annotated[
        Literal["running", "done", "interrupted", "ruined", "damaged"] | None,
        typer.Option(help="Only runs in this state.", show_default=False),
    ] = None,
    sort: Annotated[
        Sort, typer.Option(help="The column to sort by; for best and last, the best run first.")
    ] = "age",
    json: Json = False,
    csv: Csv = False,
    md: Markdown = False,
) -> None:
    """List runs, newest first. Wherever a command takes a RUN, its number, its short name or its path may be given."""
    with reported():
        from fedcli.runs.run_list import list_runs

        form = form_of(md=md, csv=csv)
        entries = [each for each in list_runs(folder) if _is_wanted(each, name, state)]
        entries.sort(key=lambda each: _key(each, sort))
        if json:
            print_json([_facts(each) for each in entries])
        elif not entries:
            print_message(f"No such run is in {folder}. Start one with: fedcli run CONFIG")
        elif form == "terminal":
            print_table([_row(each) for each in entries], styles=_STYLES, spare=_SPARE)
        else:
            print_table([_facts(each) for each in entries], form)


def _is_wanted(entry: Entry, name: str | None, state: str | None) -> bool:
    said = f"{entry.summary.name} {entry.summary.strategy}" if entry.summary else entry.folder.name
    return (name is None or name in said) and state in (None, entry.state)


def _key(entry: Entry, sort: Sort) -> tuple[bool, float | str]:
    """Runs without the value come last."""
    summary = entry.summary
    if sort == "age" or summary is None:
        return summary is None and sort != "age", entry.number
    if sort in ("best", "last"):
        if summary.figures is None:
            return True, 0.0
        value = summary.figures.best if sort == "best" else summary.figures.last
        return False, value if summary.figures.better == "down" else -value
    value = getattr(summary, sort)
    return value is None, 0.0 if value is None else value


def _row(entry: Entry) -> dict[str, Cell]:
    """A run for a person: short, with units."""
    summary = entry.summary
    figures = summary.figures if summary else None
    return {
        "": entry.number,
        "run": entry.short or entry.folder.name,
        "config": summary.name if summary else None,
        "strategy": summary.strategy if summary else None,
        "state": entry.state,
        "rounds": f"{summary.rounds}/{summary.planned}" if summary else None,
        "metric": figures.column if figures else None,
        "best": figures.best if figures else None,
        "last": figures.last if figures else None,
        "epsilon": summary.epsilon if summary else None,
        "time": _duration(summary.seconds) if summary else None,
        "age": _duration((datetime.now(UTC) - entry.begun).total_seconds()),
    }


def _facts(entry: Entry) -> dict[str, Cell]:
    """A run for a program."""
    summary = entry.summary
    figures = summary.figures if summary else None
    return {
        "number": entry.number,
        "short": entry.short,
        "folder": str(entry.folder),
        "name": summary.name if summary else None,
        "strategy": summary.strategy if summary else None,
        "state": entry.state,
        "ending": summary.ending if summary else None,
        "rounds": summary.rounds if summary else None,
        "planned": summary.planned if summary else None,
        "metric": figures.column if figures else None,
        "best": figures.best if figures else None,
        "best_round": figures.best_round if figures else None,
        "last": figures.last if figures else None,
        "epsilon": summary.epsilon if summary else None,
        "seconds": summary.seconds if summary else None,
        "begun": entry.begun.isoformat(timespec="seconds"),
    }


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
