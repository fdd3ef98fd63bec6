"""Clients that never end: with processes they are killed and rejected, with threads the run says who hangs."""

import re
import sys
import threading
import time
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from fedcli.components.executors import EXECUTORS
from fedcli.components.executors.processes import ProcessesExecutor
from fedcli.components.executors.threads import ThreadsExecutor
from fedcli.core.errors import ConfigError, EndlessClientWarning

ENDLESS = 3


class Each(NamedTuple):
    """Squares, of which one never comes."""

    def begin(self):
        return square

    def give_up(self, item, reason):
        return item, reason


def square(item):
    if item == ENDLESS:
        time.sleep(3600)
    return item * item


@pytest.mark.slow
def test_a_process_that_never_ends_is_killed_and_the_others_go_on():
    # Long enough for a busy machine to start a process.
    executor = ProcessesExecutor(2, 10.0)
    try:
        found = list(executor.run(Each(), range(6)))
        late = (ENDLESS, "it did not end within 10 s, and its process was killed")
        assert found == [0, 1, 4, late, 16, 25]
        # Its place is taken by a new process, and the next work has none that hangs.
        assert list(executor.run(Each(), [4, 5])) == [16, 25]
        assert executor._all
        # Nothing is kept of the one that was killed.
        assert all(process.is_alive for process in executor._all)
    finally:
        executor.close()


class Waiting(NamedTuple):
    """Items of which the second waits for an event."""

    go: threading.Event

    def begin(self):
        return lambda item: item if item != 1 else self.go.wait(timeout=300)

    def give_up(self, item, reason):
        raise AssertionError("a thread cannot be ended")


def test_a_thread_that_hangs_is_named_once_and_ends_as_any_other(monkeypatch):
    executor, module = ThreadsExecutor(2, 0.01), sys.modules[ThreadsExecutor.__module__]
    others_ended, go, now, said = threading.Event(), threading.Event(), [0.0], []

    class Last(Waiting):
        def begin(self):
            def act(item):
                if item < 2:
                    return item
                # Only then does time pass, so that the machine's pace does not matter.
                others_ended.wait(timeout=300)
                now[0] = 1.0
                return go.wait(timeout=300)

            return act

    def warn(sentence, category, **_place):
        said.append((sentence, category))
        # What hangs goes on after the warning.
        go.set()

    monkeypatch.setattr(module.warnings, "warn", warn)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    results = executor.run(Last(go), range(3))
    assert [next(results), next(results)] == [0, 1]
    others_ended.set()
    assert list(results) == [True]
    executor.close()
    assert [category for _, category in said] == [EndlessClientWarning]
    assert re.match(r"client 2 has trained for more than 0\.01 s.*Ctrl-C twice", said[0][0])


def test_who_is_interrupted_does_not_wait_for_a_thread_that_hangs():
    executor, go = ThreadsExecutor(2), threading.Event()

    def items():
        yield from range(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(executor.run(Waiting(go), items()))
    executor.close()
    assert not go.is_set()
    go.set()


@pytest.mark.parametrize("name", sorted(set(EXECUTORS) - {"vectorised", "auto"}))
@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_time_limit_is_above_zero(name, seconds):
    with pytest.raises(ConfigError) as caught:
        EXECUTORS[name](workers=1, client_timeout_seconds=seconds)
    assert caught.value.key == "client_timeout_seconds"
