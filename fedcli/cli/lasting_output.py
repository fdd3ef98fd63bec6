"""Output that outlives its reader: a run goes on when `| head` has seen enough or a terminal is closed."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, final


def open_standard_streams() -> None:
    """Give a process that was started without stdin, stdout or stderr streams that lead nowhere.

    Otherwise the next file that it opens would be its stdout or stderr, and what TensorFlow prints would be written
    into a file of the run.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free, which is this one.
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process


@contextlib.contextmanager
def lasting_output() -> Iterator[None]:
    """Within it, output that nobody reads any more is dropped, after one sentence to the other stream."""
    before = sys.stdout, sys.stderr
    out, err = _Lasting(before[0], "stdout"), _Lasting(before[1], "stderr")
    out.other, err.other = before[1], None
    sys.stdout, sys.stderr = out, err  # type: ignore[assignment]
    try:
        yield
    finally:
        # What is left in a buffer must not fail once more at the end of the process.
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


@final
class _Lasting:
    """A text stream of which a failed write is not an error."""

    other: TextIO | None = None

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream, self._name, self._is_gone = stream, name, False

    def write(self, text: str) -> int:
        if not self._is_gone:
            try:
                return self._stream.write(text)
            except (OSError, ValueError):
                self._lose()
        return len(text)

    def flush(self) -> None:
        if not self._is_gone:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._lose()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _lose(self) -> None:
        self._is_gone = True
        with contextlib.suppress(OSError, ValueError):
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, self._stream.fileno())
            os.close(sink)
        if self.other is not None:
            with contextlib.suppress(OSError, ValueError):
                self.other.write(
                    f"Nobody reads {self._name} any more. The run goes on, and its directory has everything.\n"
                )
                self.other.flush()
