"""The actors of the executor `ray`: who they are, what they are doing, and who takes the place of a lost one."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast, final

from fedcli.components.executors.actor import Worker, surroundings
from fedcli.components.executors.dispatch import Done, Event, Late, Lost, Piece, lost_sentence
from fedcli.components.executors.parcels import Parcel, packed, unpacked
from fedcli.core.errors import ComponentError, ConfigError, DiskError, NoWorkerWarning, RunError

_START_SECONDS = 600
"""After so long it is not a slow import of TensorFlow that a worker waits for."""

_SILENT_SECONDS = 60
"""After so long without any worker, the user is told what the run waits for."""


@final
class RayActor:
    """An actor, and what it has been given."""

    def __init__(self, handle: Any, coming: Any) -> None:
        self.handle = handle
        self.coming: Any | None = coming
        self.machine = "a worker"
        # The last work that it was sent, and the last that it has begun.
        self.sent = self.begun = -1
        self.load = 0


@final
class Staff:
    """A fixed number of actors, of which lost ones are replaced.

    Args:
        number: how many there are.
        options: what Ray reserves for each.
    """

    def __init__(self, number: int, options: Mapping[str, Any]) -> None:
        import ray

        self.num_workers = number
        self.members: list[RayActor] = []
        self.lost: list[str] = []
        self.bytes_sent = self.bytes_received = 0
        self._options, self._surroundings = dict(options), surroundings()
        self._actor: Any = ray.remote(Worker)
        for _ in range(number):
            self.hire()

    def begin(self) -> None:
        """Wait until all actors are there.

        Raises:
            ConfigError, RunError: with the machine of an actor that cannot work, and the reason.
        """
        import ray

        for member in self.members:
            try:
                member.machine, failure = ray.get(cast(Any, member.coming), timeout=_START_SECONDS)
            except ray.exceptions.GetTimeoutError as error:
                raise RunError(
                    f"Ray has started fewer than {self.num_workers} workers within {_START_SECONDS} s; perhaps others "
                    "hold the CPUs of its nodes.\nUse fewer executor.workers, or look at `ray status`."
                ) from error
            except ray.exceptions.RayError as error:
                raise RunError(f"a worker of Ray could not be started: {_cause(error)}.") from error
            if failure is not None:
                raise _placed(member.machine, unpacked(failure))
            member.coming = None

    def hire(self) -> RayActor:
        """Start one more actor. In a cluster without a free CPU it waits for one."""
        handle = self._actor.options(**self._options).remote(self._surroundings)
        member = RayActor(handle, handle.prepare.remote())
        self.members.append(member)
        return member

    def dismiss(self, member: RayActor) -> None:
        """End an actor, dead or alive."""
        import ray

        if member in self.members:
            self.members.remove(member)
        with contextlib.suppress(Exception):
            ray.kill(member.handle)

    def close(self) -> None:
        """End all actors."""
        for member in list(self.members):
            self.dismiss(member)


@final
class RayCrew:
    """The actors during one piece of work (`dispatch.Crew`)."""

    def __init__(self, staff: Staff, number: int, work: Any, seconds: float | None) -> None:
        self._staff, self._number, self._work, self._seconds = staff, number, work, seconds
        # With a second task an actor has something to do while its last results travel.
        self._room = 1 if seconds is not None else 2
        self._asked: dict[Any, tuple[RayActor, Piece]] = {}
        self._beginning: dict[Any, RayActor] = {}
        self._since: dict[RayActor, float] = {}
        # Since when no worker is there, and whether that was said.
        self._alone_since: float | None = None
        self._has_warned = False

    @property
    def num_workers(self) -> int:
        """How many actors there are when none is lost."""
        return self._staff.num_workers

    def begin_everywhere(self) -> None:
        """Begin the work on all actors, so that one that cannot do it is found now.

        Raises:
            ConfigError, RunError: with the machine and the reason.
        """
        import ray

        for member in self._staff.members:
            self._begin(member)
        for reference, member in list(self._beginning.items()):
            try:
                failure = ray.get(reference)
            except ray.exceptions.RayError as error:
                raise RunError(
                    f"on {member.machine}: the worker was lost while it built the experiment: {_cause(error)}."
                ) from error
            if failure is not None:
                raise _placed(member.machine, unpacked(failure))
            member.begun = self._number
        self._beginning.clear()

    def offer(self, task: Piece) -> bool:
        """Give a task to the actor with the least to do; False if none has room."""
        free = [each for each in self._staff.members if each.coming is None and each.load < self._room]
        if not free:
            return False
        member = min(free, key=lambda each: each.load)
        if member.sent != self._number:
            self._begin(member)
        member.load += 1
        parcel = packed(task.items)
        self._staff.bytes_sent += parcel.num_bytes
        self._asked[member.handle.do.remote(parcel, task.folds)] = member, task
        self._since[member] = time.monotonic()
        return True

    def wait(self) -> Sequence[Event]:
        """What happened, as soon as something has."""
        import ray

        coming = {each.coming: each for each in self._staff.members if each.coming is not None}
        references = [*self._asked, *self._beginning, *coming]
        ready, _ = ray.wait(references, num_returns=1, timeout=self._patience())
        if not ready:
            return self._late() or self._require_workers()
        self._alone_since = None
        reference = ready[0]
        member = coming.get(reference) or self._beginning.get(reference) or self._asked[reference][0]
        try:
            found = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            raise RunError(f"{member.machine}: {error}") from error
        except ray.exceptions.RayError as error:
            # A result can be lost with its node after it was made. After all else, of which an end for want of memory
            # is no RayActorError, nothing more comes from the actor.
            if not isinstance(error, ray.exceptions.ObjectLostError) or reference not in self._asked:
                return [self._lost(member, _cause(error))]
            _, task = self._asked.pop(reference)
            member.load -= 1
            cause = _cause(error)
            self._staff.lost.append(lost_sentence(f"a result of {member.machine}", cause, task.items))
            return [Lost(None, [task], cause)]
        if reference in coming:
            member.coming, (member.machine, failure) = None, found
            if failure is not None:
                raise _placed(member.machine, unpacked(failure))
        elif reference in self._beginning:
            del self._beginning[reference]
            # Its answers to items would be the same error.
            if found is not None:
                raise _placed(member.machine, unpacked(found))
            member.begun = self._number
            self._since[member] = time.monotonic()
        else:
            _, task = self._asked.pop(reference)
            member.load -= 1
            self._staff.bytes_received += found.num_bytes
            return [Done(task, partial(_results, member.machine, found))]
        return []

    def leave(self) -> None:
        """Wait no longer for what was begun."""
        for member, _ in self._asked.values():
            member.load -= 1

    def _begin(self, member: RayActor) -> None:
        member.sent = self._number
        self._beginning[member.handle.begin.remote(self._work)] = member

    def _patience(self) -> float:
        # Ten seconds cost nothing; after them, whether a cluster still has nodes is looked at.
        waits = [10.0]
        if self._seconds is not None:
            begun = (each for each, _ in self._asked.values() if each.begun == self._number)
            waits += [self._since[each] + self._seconds - time.monotonic() for each in begun]
        return max(0.0, min(waits))

    def _late(self) -> list[Event]:
        """The end of an actor whose item takes too long. To build the experiment is not the item's time."""
        now, seconds = time.monotonic(), self._seconds
        for member, task in self._asked.values():
            if seconds is not None and member.begun == self._number and now - self._since[member] >= seconds:
                self._forget(member)
                return [Late(task, [])]
        return []

    def _lost(self, member: RayActor, cause: str) -> Lost:
        tasks = self._forget(member)
        items = [item for task in tasks for item in task.items]
        self._staff.lost.append(lost_sentence(member.machine, cause, items))
        # What an actor that never began was given is not to blame for its end.
        blamed = tasks.pop(0) if tasks and member.begun == self._number else None
        return Lost(blamed, tasks, cause)

    def _forget(self, member: RayActor) -> list[Piece]:
        """Replace an actor; returns what it had to do."""
        tasks = [task for owner, task in self._asked.values() if owner is member]
        self._asked = {ref: pair for ref, pair in self._asked.items() if pair[0] is not member}
        self._beginning = {ref: owner for ref, owner in self._beginning.items() if owner is not member}
        self._staff.dismiss(member)
        self._staff.hire()
        return tasks

    def _require_workers(self) -> list[Event]:
        """Nothing, unless all workers were lost and none will come."""
        import ray

        if self._asked or any(each.coming is None for each in self._staff.members):
            return []
        if cast(Any, ray).cluster_resources().get("CPU", 0) < 1:
            raise RunError("no node of the cluster is left.\nResume the run with `fedcli run --resume`.")
        now = time.monotonic()
        self._alone_since = now if self._alone_since is None else self._alone_since
        if now - self._alone_since >= _START_SECONDS:
            raise RunError(
                f"all workers of Ray were lost, and no other has started within {_START_SECONDS} s; perhaps others "
                "hold the CPUs of its nodes (`ray status`).\n"
                "Resume the run with `fedcli run --resume` when they are free."
            )
        if now - self._alone_since >= _SILENT_SECONDS and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                "All workers of Ray were lost, and the run waits for another to start; perhaps others hold the CPUs of "
                f"its nodes (`ray status`). It ends if none has started within {_START_SECONDS} s.",
                NoWorkerWarning,
                stacklevel=2,
            )
        return []


def _results(machine: str, parcel: Parcel) -> Sequence[Any]:
    # Copied out of shared memory: a component may write to an update, and the memory is needed for the next ones.
    is_result, answer = unpacked(parcel, copies=True)
    if is_result:
        return cast(Sequence[Any], answer)
    # A component fails in the same way everywhere; a file that is missing is missing on one machine.
    if isinstance(answer, ConfigError | RunError) and not isinstance(answer, ComponentError):
        raise _placed(machine, answer) from answer
    raise cast(BaseException, answer)


def _placed(machine: str, error: Exception) -> Exception:
    """An error of a worker, with its machine."""
    if isinstance(error, ConfigError):
        return ConfigError(f"on {machine}: {error.message}", key=error.key, hint=error.hint)
    return (DiskError if isinstance(error, DiskError) else RunError)(f"on {machine}: {error}")


def _cause(error: Exception) -> str:
    """The last sentence of one of Ray's messages, which is the specific one unless it is advice."""
    import ray

    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return "the memory of its node ran out"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else type(error).__name__
