"""Which code a run ran: the commits of fedcli and of the user's folder, and the command line."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import fedcli

_TIMEOUT_SECONDS = 5.0


class GitState(NamedTuple):
    """The state of a git work tree.

    Args:
        commit: the hash of the commit that is checked out.
        is_dirty: whether files that git follows differ from it; None if git did not answer.
    """

    commit: str
    is_dirty: bool | None


def git_state(folder: Path) -> dict[str, str | bool | None] | None:
    """The state of the work tree of a folder, for environment.json; None if there is none, or no git."""
    # Most folders are in no work tree, and a process for each run would cost more than this search.
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return None
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return GitState(commit.strip()[:64], None if changes is None else bool(changes.strip()))._asdict()


@lru_cache(maxsize=1)
def source_of_fedcli() -> dict[str, str | bool | None] | None:
    """The state of the checkout that fedcli runs from; None where it was installed."""
    # Once a process: what was imported stays, whatever is checked out later.
    root = Path(fedcli.__file__).resolve().parents[1]
    # An environment in somebody's work tree is not a checkout of fedcli.
    return git_state(root) if (root / ".git").exists() else None


def command_line() -> str:
    """The command that started this process, as a shell would take it again."""
    program, *arguments = sys.argv or [""]
    is_ours = Path(program).stem in {"fedcli", "__main__"}
    said = shlex.join(["fedcli" if is_ours else program, *arguments])
    # Bytes of a file name that are not UTF-8 have no place in JSON.
    return said.encode("utf-8", "replace").decode()[:10_000]


def _git(folder: Path, *arguments: str) -> str | None:
    program = shutil.which("git")
    if program is None:
        return None
    # A monitor that the repository's own config names would be another program that is run.
    command = [program, "-c", "core.fsmonitor=false", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout
