"""How facts and errors reach the screen: JSON or a table on stdout, all else on stderr."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the facts as JSON on stdout, all else on stderr.")]


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Print errors that fedcli explains itself, and exit with their code."""
    from fedcli.core.errors import FedcliError

    try:
        yield
    except FedcliError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from error
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            _forget_stdout()
            raise typer.Exit(0) from None
        typer.echo(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _forget_stdout() -> None:
    """The reader of a pipe has gone, as `| head` does; Python would complain once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_json(facts: Any) -> None:
    """One JSON document on stdout."""
    from fedcli.core.metrics import jsonable

    typer.echo(json.dumps(jsonable(facts), indent=2, default=str))


def print_facts(facts: Mapping[str, Any]) -> None:
    """Names and values in two columns on stdout."""
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {readable(value)}")


def readable(value: Any) -> str:
    """A value as a person reads it: thousands separated, floats short."""
    if value is None:
        return "-"
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
    """Load TensorFlow without what its C++ code writes to stderr before its log level is known."""
    sys.stderr.flush()
    saved = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        import tensorflow as tf  # noqa: F401
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)
    yield
