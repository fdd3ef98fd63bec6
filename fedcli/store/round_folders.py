"""Names of the folders that belong to a round, such as `round-00042`; the only code that builds or parses them."""

from __future__ import annotations

import re
from pathlib import Path

from fedcli.store.files import guarded
from fedcli.store.files.guarded import FileRefused

# Five digits, and more only if the number needs them, so that each round has exactly one name. A number of more than
# nine digits is not a round of any run.
_NAME = re.compile(r"round-([0-9]{5}|[1-9][0-9]{5,8})")


def name(round: int) -> str:
    """Name of the folder of a round."""
    return f"round-{round:05d}"


def number(name: str) -> int | None:
    """The round of a folder, by its name; None if no round has that name."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def of_draft(name: str) -> int | None:
    """The round of a folder that a killed process left unfinished, by its name; None if it is not such a folder."""
    finished = name.removeprefix(".").removesuffix(".tmp")
    return number(finished) if name == f".{finished}.tmp" else None


def rounds(folder: Path) -> list[int]:
    """The rounds that have something in a folder of a run, ascending; none if `folder` does not exist.

    Raises:
        FileRefused: if `folder` is a link, or not a folder.
    """
    try:
        found = (number(name) for name in guarded.names(folder, below=folder.parent))
    except FileRefused as error:
        if error.is_missing:
            return []
        raise
    return sorted(round for round in found if round is not None)
