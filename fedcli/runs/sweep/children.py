"""Runs as processes of their own: started, watched, found again after the sweep was killed, and stopped with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from fedcli.core.errors import FedcliError, RunError
from fedcli.core.machine import available_cores, available_memory
from fedcli.runs.run_list import entry_of
from fedcli.runs.summary import RUINED, Summary
from fedcli.runs.sweep.trials import Trial
from fedcli.store.files import durable, guarded, limits, locks

Standing: TypeAlias = Literal["waiting", "running", "done", "interrupted", "ruined", "failed"]
LOGS, BROKEN = "logs", "broken"
MEMORY_OF_A_RUN = 3 << 29
"""1.5 GiB: TensorFlow with a small model and its data needs about half of it."""
_SECONDS_BETWEEN_LOOKS = 0.2
_LOG_BYTES_READ = 4_000
_INTERRUPTED = 130


class Status(NamedTuple):
    """How far a run of a sweep is.

    Args:
        trial: which run.
        standing: its state.
        summary: what it has reached; None before its folder is there.
        failure: what it printed last, if it failed; how its model was ruined, if it was.
    """

    trial: Trial
    standing: Standing
    summary: Summary | None = None
    failure: str = ""


class _Child(NamedTuple):
    """A process that was started here; None for one that an earlier command has started, and that still runs."""

    trial: Trial
    process: subprocess.Popen[bytes] | None
    slot: int


def default_parallel() -> int:
    """One run for each core, and at most as many as find 1.5 GiB of free memory each; at least 1."""
    memory = available_memory()
    fitting = available_cores() if memory is None else memory // MEMORY_OF_A_RUN
    return max(1, min(available_cores(), fitting))


def status_of(folder: Path, trial: Trial, failure: str = "") -> Status:
    """How far a run is, from its directory alone.

    Args:
        folder: the folder of the sweep.
        trial: which run.
        failure: what it printed when it failed the last time.
    """
    run = folder / trial.name
    if not guarded.exists(run, below=folder):
        return Status(trial, "failed" if failure else "waiting", None, failure)
    entry = entry_of(run)
    if entry.state == "running":
        return Status(trial, "running", entry.summary)
    if entry.state == "ruined" and entry.summary is not None:
        return Status(trial, "ruined", entry.summary, str(entry.summary.ending).removeprefix(RUINED))
    # Only the sentence that a run writes at its very end tells that its last checkpoint is there.
    if entry.summary is not None and entry.summary.ending is not None:
        return Status(trial, "done", entry.summary)
    return Status(trial, "failed" if failure else "interrupted", entry.summary, failure)


def run_all(
    folder: Path,
    trials: Sequence[Trial],
    commands: Callable[[Trial], Sequence[str]],
    *,
    parallel: int,
    watch: Callable[[Mapping[str, Standing]], None],
    asked_to_stop: Callable[[], bool],
) -> dict[str, str]:
    """Run what is not done, each as a process, and wait for all of them.

    Args:
        folder: the folder of the sweep.
        trials: in the order in which they begin.
        commands: the arguments of `fedcli` that start a run; called just before it starts, and may refuse to.
        parallel: processes at the same time; each has its share of the cores.
        watch: called several times a second, with the standing of the runs by name.
        asked_to_stop: whether to stop; the runs then end after a checkpoint of their last round, and can go on.

    Returns:
        What the runs that failed have printed last, by their names; empty text for those that ended well.

    Raises:
        FedcliError: what `commands` raises, after the processes that run have ended.
    """
    waiting, running = deque(trials), list[_Child]()
    standings: dict[str, Standing] = {trial.name: "waiting" for trial in trials}
    ended: dict[str, str] = {}
    refused: FedcliError | None = None
    stopping = False
    try:
        while running or (waiting and not stopping):
            if asked_to_stop() and not stopping:
                stopping = True
                _signal(running, signal.SIGTERM)
            while waiting and len(running) < parallel and not stopping:
                slot = next(slot for slot in range(parallel) if all(child.slot != slot for child in running))
                try:
                    child = _begin(folder, waiting.popleft(), commands, slot, parallel)
                except FedcliError as error:
                    # The runs that have begun are not to be lost; nothing new begins.
                    refused, stopping = error, True
                    break
                running.append(child)
                standings[child.trial.name] = "running"
            for child in list(running):
                name = child.trial.name
                if child.process is None:
                    # It goes on without this command, so that a stop need not wait for it.
                    if stopping or _is_free(folder, name):
                        running.remove(child)
                        status = status_of(folder, child.trial)
                        standings[name] = status.standing
                        if status.standing != "done" and not stopping:
                            waiting.appendleft(child.trial)
                elif child.process.poll() is not None:
                    running.remove(child)
                    ended[name] = _failure(folder, name, child.process.returncode, was_stopped=stopping)
                    standings[name] = status_of(folder, child.trial, ended[name]).standing
            watch(standings)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    except KeyboardInterrupt:
        # A second Ctrl-C: whoever presses it does not want to wait for the clients that are training.
        _signal(running, signal.SIGTERM)
        raise
    if refused is not None:
        raise refused
    return ended


def _begin(
    folder: Path, trial: Trial, commands: Callable[[Trial], Sequence[str]], slot: int, parallel: int
) -> _Child:
    """Start or resume a run, or find the process of an earlier command that still runs it."""
    run = folder / trial.name
    try:
        log = locks.hold_log(folder / LOGS / f"{trial.name}.log", run)
    except RunError:
        return _Child(trial, None, slot)
    try:
        if guarded.exists(run, below=folder) and entry_of(run).state == "damaged":
            # Nothing of a person's is deleted, and nothing could go on from it.
            _set_aside(folder, trial.name)
        if guarded.exists(run, below=folder):
            arguments: Sequence[str] = ["run", "--resume", str(run)]
        else:
            arguments = [*commands(trial), "--run-dir", str(run)]
        process = subprocess.Popen(
            [sys.executable, "-m", "fedcli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C goes to all processes of a terminal's group; the runs are told by this one, once.
            start_new_session=True,
        )
    finally:
        # The process has it now, and with it the lock.
        locks.release(log)
    _give_cores(process.pid, slot, parallel)
    return _Child(trial, process, slot)


def _give_cores(process: int, slot: int, parallel: int) -> None:
    """Give a process its share of the cores, before it counts them."""
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    share = cores[slot * len(cores) // parallel : (slot + 1) * len(cores) // parallel]
    try:
        os.sched_setaffinity(process, share or [cores[slot % len(cores)]])
    except ProcessLookupError:
        # It has ended already, and its exit code says why.
        return


def _signal(children: Sequence[_Child], number: int) -> None:
    for child in children:
        if child.process is not None and child.process.poll() is None:
            child.process.send_signal(number)


def _is_free(folder: Path, name: str) -> bool:
    try:
        locks.release(locks.hold_log(folder / LOGS / f"{name}.log", folder / name))
    except RunError:
        return False
    return True


def _set_aside(folder: Path, name: str) -> None:
    place = durable.make_folder(folder / BROKEN)
    number = next(n for n in range(1, 10_000) if not guarded.exists(place / f"{name}-{n}", below=folder))
    os.rename(folder / name, place / f"{name}-{number}")


def _failure(folder: Path, name: str, code: int, *, was_stopped: bool) -> str:
    """What a run printed last, if it failed; empty if it ended well or was asked to stop."""
    # While it loads TensorFlow, a run has no checkpoint to wait for and ends by the signal.
    if code in (0, _INTERRUPTED) or (was_stopped and code == -signal.SIGTERM):
        return ""
    ended = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
    path = folder / LOGS / f"{name}.log"
    with guarded.opened(path, below=folder, limit=limits.LOG) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_BYTES_READ))
        lines = [
            line for line in file.read(_LOG_BYTES_READ).decode(errors="replace").splitlines() if line.strip()
        ]
    # Errors are a headline, what was expected and what to do.
    return "\n".join([f"{ended}:", *lines[-4:]])
