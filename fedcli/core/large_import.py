"""The import of a large library."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def large_import() -> Iterator[None]:
    """Keep Python from looking for garbage while a library is imported.

    TensorFlow and Keras make half a million objects, of which nearly none is garbage. To search among them again and
    again takes a fifth of the import.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
