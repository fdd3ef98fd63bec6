"""`fedcli docs`: what a component, a key, a column or a term is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from fedcli.cli.list_parts import SECTIONS, Kind, list_parts
from fedcli.cli.output import Json, escaped, print_json, print_message, print_rows, reported, wrapped

if TYPE_CHECKING:
    from fedcli.experiment.manual import Described, Page

_WIDEST = 100
"""Longer lines are hard to read, also on a wide terminal."""

_MOST_PAGES = 4
_MOST_NAMES = 8


def docs(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A component (fedprox), a key (cohort.size), a column of the logs (test/accuracy), a term (staleness) "
            "or package.module:factory.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        Kind | None, typer.Option(help="Look only for components of this kind.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Explain a component, a key of the config, a column of the logs or a term, with an example.

    Without NAME, print what there is to ask for.
    """
    # The name of a kind is not that of a component; its list says what there is.
    listed = Kind(name) if kind is None and name in list(Kind) else kind if name is None else None
    if listed is not None:
        list_parts(listed, json)
        return
    with reported():
        if name is None:
            _print_names(_names(), json=json)
            return
        from fedcli.experiment.manual import look_up

        pages = look_up(name, SECTIONS[kind] if kind else None)
        if json:
            print_json([_facts(page) for page in pages])
        elif len(pages) > _MOST_PAGES:
            _print_lines([*_overview(name, pages)])
        else:
            for number, page in enumerate(pages):
                _print_lines([*([""] if number else []), *_lines(page)])


def _names() -> dict[str, list[str]]:
    """All that has a page, by what it is."""
    from fedcli.config import installed
    from fedcli.core.glossary import TERMS
    from fedcli.experiment.manual import column_pages, key_pages

    return {
        **{kind.value: list(installed(section)) for kind, section in SECTIONS.items()},
        "keys": [page.name for page in key_pages()],
        "columns": list(dict.fromkeys(page.name for page in column_pages())),
        "terms": list(TERMS),
    }


def _print_names(names: Mapping[str, Sequence[str]], *, json: bool) -> None:
    if json:
        print_json(names)
        return
    rows = []
    for kind, known in names.items():
        more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
        rows.append((kind, f"{', '.join(known[:_MOST_NAMES])}{more}"))
    print_rows(rows)
    print_message(
        "\nFor example: fedcli docs fedprox, fedcli docs cohort.size, fedcli docs test/accuracy\n"
        "`fedcli docs KIND` lists all components of a kind, and --json prints all names.",
        to_stderr=False,
    )


def _facts(page: Page) -> dict[str, object]:
    return page._asdict() | {
        "facts": dict(page.facts),
        "entries": [entry._asdict() for entry in page.entries],
    }


def _overview(name: str, pages: list[Page]) -> Iterator[str]:
    yield f"{len(pages)} pages are about {name}:"
    yield ""
    for page in pages:
        yield f"  {page.name}  {page.summary}"
    yield ""
    yield f"`fedcli docs {pages[0].name}` shows the first."


def _lines(page: Page) -> Iterator[str]:
    """The page as lines of any length, with titles of sections at the margin."""
    yield f"{page.name}: {page.kind}"
    yield ""
    yield f"  {page.summary}"
    for paragraph in page.details:
        yield ""
        yield f"  {paragraph}"
    if page.formula:
        yield from ("", "formula", f"  {page.formula}")
    if page.entries:
        yield from ("", {"key": "keys", "parameter": "components"}.get(page.kind, "parameters"))
        for entry in page.entries:
            yield f"  {_headline(entry)}"
            if entry.about:
                yield f"      {entry.about}"
    for label, text in page.facts:
        yield from ("", label, f"  {text}")
    if page.example:
        yield from ("", "example", *(f"  {line}" for line in page.example.splitlines()))


def _headline(entry: Described) -> str:
    given = "" if entry.default is None else f" = {entry.default}"
    type_ = f"{entry.type}, {entry.range}" if entry.range else entry.type
    return f"{entry.name}{given}  ({type_ if given else f'{type_}, required'})"


def _print_lines(lines: list[str]) -> None:
    """Print lines; on a terminal they are broken between words and keep their indent."""
    from rich.console import Console

    console = Console(highlight=False)
    for line in map(escaped, lines):
        if not console.is_terminal:
            typer.echo(line)
            continue
        indent = line[:1] == " "
        for each in wrapped(line, min(console.width, _WIDEST)).split("\n"):
            typer.echo(each if indent or not each else typer.style(each, bold=True))
