"""The run directory of a run that names none."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from fedcli.store.directory import FolderTaken


def default_folders(name: str) -> Iterator[Path]:
    """`runs/<name>-<utc time>`, then the same with -2, -3, ... for runs that start in the same second."""
    base = Path("runs") / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    yield base
    yield from (Path(f"{base}-{number}") for number in itertools.count(2))


def first_free(places: Iterable[Path], make: Callable[[Path], None]) -> Path:
    """The first place at which `make` makes a run directory.

    It is tried and not looked up: between a look and the making, another process may take the same place.

    Args:
        places: at least one.
        make: makes the directory at a place.

    Raises:
        FolderTaken: if all are taken.
    """
    taken = None
    for place in places:
        try:
            make(place)
        except FolderTaken as error:
            taken = error
        else:
            return place
    raise taken or ValueError("no place for a run directory was given")
