"""What a process does not show: the contents of secrets in a `repr`, and its memory in a core dump."""

from __future__ import annotations

import contextlib

with contextlib.suppress(ImportError):  # the module exists on Unix only
    import resource


def concealed(secret: object, **sizes: int) -> str:
    """The `repr` of an object that holds secrets: its type and sizes, so that no log and no traceback has more."""
    said = ", ".join(f"{size} {name.replace('_', ' ')}" for name, size in sizes.items())
    return (
        f"<{type(secret).__name__}: {said}, not shown>" if said else f"<{type(secret).__name__}: not shown>"
    )


def forbid_core_dumps() -> None:
    """Keep this process and its children from writing their memory, which has keys, to a file when they crash.

    Without effect where the system has no such limit.
    """
    # The hard limit stays, so that a program that uses fedcli can take this back for itself.
    with contextlib.suppress(NameError, ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
