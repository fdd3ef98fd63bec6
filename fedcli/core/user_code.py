"""Failures of components: what failed, and the line of the user's code that did, instead of pages of traceback."""

from __future__ import annotations

import inspect
import linecache
import os
import re
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fedcli.core.errors import ComponentError, FedcliError

_OWN = str(Path(__file__).parent.parent)
_INSTALLED = tuple({sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")})
# TensorFlow runs a copy of a layer's code, and names the lines of the original in its message.
_NAMED = re.compile(r'File "([^"]+)", line (\d+), in (\w+)')
_KIND = re.compile(r"^\s+(\w*(?:Error|Exception): .*)$", re.MULTILINE)
# TensorFlow's own words follow the lines of code, before the place in the graph.
_IN_GRAPH = re.compile(r"^(\S.*)\n\s+\[\[\{\{node ", re.MULTILINE)
_LONGEST = 300


@contextmanager
def blamed(
    what: str,
    where: str = "",
    *,
    spares: type[Exception] | None = None,
    of: Callable[..., object] | None = None,
) -> Iterator[None]:
    """Turn an exception of a component into a `ComponentError`; those that fedcli explains pass as they are.

    Args:
        what: the component, such as "the aggregator median".
        where: the round and the client, such as "round 3, client 2"; empty outside of rounds.
        spares: exceptions that pass as well, because they are not the component's.
        of: the component's function, which is named where what it returned is at fault.
    """
    try:
        yield
    except FedcliError:
        raise
    # A component that exits would otherwise end the run as if it were done.
    except (Exception, SystemExit) as error:
        if spares is not None and isinstance(error, spares):
            raise
        raise ComponentError(told(what, error, where, of)) from error


def told(what: str, error: BaseException, where: str = "", of: Callable[..., object] | None = None) -> str:
    """A failure in two lines: what failed and why, and the line of code."""
    before = f"{where}: " if where else ""
    lines = [f"{before}{what} failed: {_reason(error)}"]
    place = _line(error, of)
    return "\n".join([*lines, f"  {place}"] if place else lines)


def _reason(error: BaseException) -> str:
    text, kind = str(error).strip(), type(error).__name__
    inner = _KIND.findall(text)
    if inner:
        return str(inner[-1])[:_LONGEST]
    found = _IN_GRAPH.findall(text) if text.startswith("Graph execution error") else []
    first = (found or text.split("\n", 1))[0][:_LONGEST]
    return f"{kind}: {first}" if first else kind


def _line(error: BaseException, of: Callable[..., object] | None) -> str:
    """The innermost line of the user's own code; of an installed package, if there is none; else of fedcli.

    If all is fedcli's own, it refused what a function of the user returned: that is named by its first line.
    """
    frames = [
        (each.filename, each.lineno or 0, each.name) for each in traceback.extract_tb(error.__traceback__)
    ]
    named = [(file, int(line), name) for file, line, name in _NAMED.findall(str(error))]
    known = [each for each in (*frames, *named) if os.path.isfile(each[0])]
    own = [each for each in known if not each[0].startswith((_OWN, *_INSTALLED))]
    others = [each for each in known if not each[0].startswith(_OWN)]
    code = getattr(inspect.unwrap(of), "__code__", None) if of is not None else None
    is_own = code is not None and not code.co_filename.startswith((_OWN, *_INSTALLED))
    if code is not None and is_own and not (own or others):
        return f"{_short(code.co_filename)}:{code.co_firstlineno}, in {code.co_name}"
    chosen = own or others or known
    if not chosen:
        return ""
    file, number, function = chosen[-1]
    source = linecache.getline(file, number).strip()
    return f"{_short(file)}:{number}, in {function}: {source}"


def _short(file: str) -> str:
    relative = os.path.relpath(file)
    return file if relative.startswith("..") else relative
