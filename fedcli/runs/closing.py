"""Closes the executor of an assembly, whatever happens to the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fedcli.engine.setup import Assembly


@contextmanager
def closing(assembly: Assembly) -> Iterator[None]:
    """Close the executor at the end."""
    try:
        yield
    finally:
        # Worker processes would otherwise outlive an error.
        assembly.executor.close()
