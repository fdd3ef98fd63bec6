"""Output of commands: JSON or columns on stdout, and everything else on stderr."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import typer

from fedcli.core.large_import import large_import
from fedcli.core.printable import escaped as escaped

Facts = dict[str, Any]
"""Named values of many types, as `--json` prints them."""

Json = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on stdout, and everything else on stderr.")
]


Traceback = Annotated[
    bool, typer.Option("--traceback", help="After an error, print Python's whole traceback as well.")
]


@contextlib.contextmanager
def reported(*, traceback: bool | None = None) -> Iterator[None]:
    """Print the errors that fedcli explains, and exit with their code.

    Args:
        traceback: whether to print the traceback too; None for a command without that option.
    """
    from fedcli.core.errors import FedcliError

    try:
        yield
    except FedcliError as error:
        if traceback:
            _print_traceback(error)
        print_message(str(error))
        if traceback is False and is_of_a_component(error):
            print_message("--traceback prints all of it.")
        raise typer.Exit(error.exit_code) from error
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            # The reader of a pipe is gone, as in `| head`. At exit, Python would flush stdout and fail once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        print_message(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    # Newer typers bring their own click, so that click itself may be missing.
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except (Exception, SystemExit) as error:
        if traceback is None:
            raise
        # Where no check of fedcli expected it: mostly a custom component, also one that exits as if all were done.
        if traceback:
            _print_traceback(error)
        from fedcli.core.user_code import told

        print_message(told("this command", error))
        if not traceback:
            print_message("--traceback prints all of it.")
        raise typer.Exit(1) from error


def is_of_a_component(error: BaseException | None) -> bool:
    """Whether an error began as an exception of a component's code, of which only one line was shown."""
    from fedcli.core.errors import FedcliError

    while isinstance(error, FedcliError):
        error = error.__cause__
    return error is not None


def _print_traceback(error: BaseException) -> None:
    import traceback

    # Whole, because TensorFlow hides its own lines; and escaped, because the messages in it come from anywhere.
    typer.echo(escaped("".join(traceback.format_exception(error)), keep="\n\t"), err=True)


def print_message(text: str, *, to_stderr: bool = True) -> None:
    """Print an error, a warning or a sentence; on a terminal, lines wrap between words and keep their indent."""
    from rich.console import Console

    console, text = Console(stderr=to_stderr), escaped(text, keep="\n")
    if console.is_terminal:
        text = "\n".join(wrapped(line, console.width) for line in text.splitlines())
    typer.echo(text, err=to_stderr)


def wrapped(line: str, width: int, *, indent: str | None = None) -> str:
    """A line as lines of `width`, broken between words; the others begin with `indent`, by default the line's own.

    Paths and commands are never broken within a word, so that they can be copied.
    """
    indent = " " * (len(line) - len(line.lstrip())) if indent is None else indent
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def print_json(facts: object) -> None:
    """Print one JSON document on stdout."""
    from fedcli.core.metrics import jsonable

    typer.echo(json.dumps(jsonable(facts), indent=2, default=str))


def print_facts(facts: Mapping[str, object]) -> None:
    """Print names and values on stdout, in two columns; the name of a column of a log stays as it is written there."""
    rows = ((name if "/" in name else name.replace("_", " "), value) for name, value in facts.items())
    print_rows([(name, readable(value)) for name, value in rows])


def print_rows(
    rows: Iterable[tuple[str, str]], *, width: int = 0, styles: Mapping[str, str] | None = None
) -> None:
    """Print labels and texts on stdout, in two columns.

    A pipe gets one line per row, so that a script can read it. On a terminal a long text wraps within its column.

    Args:
        rows: a label and a text each.
        width: the least width of the labels.
        styles: rich's style of a text, by its label.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [(escaped(label), escaped(text)) for label, text in rows]
    console = Console(highlight=False)
    width = max([width, *(len(label) for label, _ in rows)])
    if not console.is_terminal:
        for label, text in rows:
            typer.echo(f"{label:<{width}}  {text}".rstrip())
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True, min_width=width)
    # A word that is longer than its column, such as a head or a path, goes on in the next line and is not cut off.
    table.add_column(overflow="fold")
    for label, text in rows:
        # As a Text, because rich would take square brackets for markup.
        table.add_row(label, Text(text, style=(styles or {}).get(label, "")))
    console.print(table)


def readable(value: object) -> str:
    """A value as a person reads it: thousands are separated, floats are short."""
    if value is None:
        return "-"
    # Before int, because True is one.
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e6 else f"{value:,.0f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {readable(item)}" for name, item in value.items())
    return str(value)


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Load TensorFlow, and hide what its C++ code prints before it reads its log level."""
    # Python's sys.stderr cannot catch what C++ prints, so the file descriptor itself is redirected.
    sys.stderr.flush()
    saved = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        with large_import():
            import tensorflow as tf  # noqa: F401
        # Later searches need not look at what was imported.
        gc.freeze()
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)
    yield
