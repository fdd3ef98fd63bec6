"""Ctrl-C and its relatives: a run that is asked to stop finishes what it must, and says what it waits for."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# SIGTERM too, which batch systems send some time before they kill a job, and SIGHUP of a terminal that is closed.
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def interruptible(waits_for: Callable[[], str] = lambda: "") -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C, SIGTERM or SIGHUP has asked the run to stop; a second one ends it at once.

    Args:
        waits_for: what to say at the first one; an empty text says nothing.
    """
    wish = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        # A second signal means that the person does not want to wait for the clients that are training.
        if wish.is_set():
            signal.default_int_handler(number, frame)
        wish.set()
        said = waits_for()
        if said:
            # Not through sys.stderr, which may be in the middle of a line, and fails if it is entered twice.
            with contextlib.suppress(OSError):
                os.write(2, f"\n{said}\n".encode())

    numbers = [signal.Signals[name] for name in _SIGNALS if hasattr(signal, name)]
    # `nohup` ignores SIGHUP, and so does a run that it starts.
    hangup = getattr(signal, "SIGHUP", None)
    taken = [each for each in numbers if each is not hangup or signal.getsignal(each) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, note) for number in taken}
    try:
        yield wish.is_set
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
