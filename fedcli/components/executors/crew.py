"""The actors of the executor `ray`: who they are, what they are doing, and who takes the place of a lost one."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast, final

from fedcli.components.executors.actor import Worker, surroundings
from fedcli.components.executors.answers import cause_of, placed, results_of
from fedcli.components.executors.dispatch import Done, Event, Late, Lost, Piece, lost_sentence
from fedcli.components.executors.parcels import packed, unpacked
from fedcli.components.executors.vacancies import Vacancies
from fedcli.core.errors import LostWorkersError, NoWorkerWarning, RunError

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
        self.machine = "a worker that had not started"
        # The last work that it was sent, and the last that it has begun.
        self.sent = self.begun = -1


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
                raise RunError(f"a worker of Ray could not be started: {cause_of(error)}.") from error
            if failure is not None:
                raise placed(member.machine, unpacked(failure))
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
        there = [each for each in staff.members if each.coming is None]
        # With a second task an actor has something to do while its last results travel.
        self._vacancies = Vacancies(there, room=1 if seconds is not None else 2)
        self._coming = {each.coming: each for each in staff.members if each.coming is not None}
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
                    f"on {member.machine}: the worker was lost while it built the experiment: {cause_of(error)}."
                ) from error
            if failure is not None:
                raise placed(member.machine, unpacked(failure))
            member.begun = self._number
        self._beginning.clear()

    def offer(self, task: Piece) -> bool:
        """Give a task to the actor with the least to do; False if none has room."""
        member = self._vacancies.take()
        if member is None:
            return False
        if member.sent != self._number:
            self._begin(member)
        parcel = packed(task.items)
        self._staff.bytes_sent += parcel.num_bytes
        self._asked[member.handle.do.remote(parcel, task.folds)] = member, task
        self._since[member] = time.monotonic()
        return True

    def wait(self) -> Sequence[Event]:
        """What happened, as soon as something has: all of it, since to wait costs as much as there are actors."""
        import ray

        references = [*self._asked, *self._beginning, *self._coming]
        ready, _ = ray.wait(references, num_returns=1, timeout=self._patience())
        if not ready:
            return self._late() or self._require_workers()
        self._alone_since = None
        ready, _ = ray.wait(references, num_returns=len(references), timeout=0)
        return [event for reference in ready for event in self._happened(reference)]

    def _happened(self, reference: Any) -> list[Event]:
        """The end of one call; nothing, if it was of an actor that is lost by now, or has begun."""
        import ray

        member = self._coming.get(reference) or self._beginning.get(reference)
        if member is None and reference in self._asked:
            member = self._asked[reference][0]
        if member is None:
            return []
        try:
            found = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            raise RunError(f"{member.machine}: {error}") from error
        except ray.exceptions.RayError as error:
            # A result can be lost with its node after it was made. After all else, of which an end for want of memory
            # is no RayActorError, nothing more comes from the actor.
            if not isinstance(error, ray.exceptions.ObjectLostError) or reference not in self._asked:
                return [self._lost(member, cause_of(error))]
            _, task = self._asked.pop(reference)
            self._vacancies.give_back(member)
            cause = cause_of(error)
            self._staff.lost.append(lost_sentence(f"a result of {member.machine}", cause, task.items))
            return [Lost(None, [task], cause)]
        if self._coming.pop(reference, None) is not None:
            member.coming, (member.machine, failure) = None, found
            if failure is not None:
                raise placed(member.machine, unpacked(failure))
            self._vacancies.add(member)
            return []
        if self._beginning.pop(reference, None) is not None:
            # Its answers to items would be the same error.
            if found is not None:
                raise placed(member.machine, unpacked(found))
            member.begun = self._number
            self._since[member] = time.monotonic()
            return []
        _, task = self._asked.pop(reference)
        self._vacancies.give_back(member)
        self._staff.bytes_received += found.num_bytes
        return [Done(task, partial(results_of, member.machine, found))]

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
        self._coming = {ref: owner for ref, owner in self._coming.items() if owner is not member}
        self._vacancies.remove(member)
        self._staff.dismiss(member)
        newcomer = self._staff.hire()
        self._coming[newcomer.coming] = newcomer
        return tasks

    def _require_workers(self) -> list[Event]:
        """Nothing, unless all workers were lost and none will come."""
        import ray

        if len(self._vacancies):
            return []
        if cast(Any, ray).cluster_resources().get("CPU", 0) < 1:
            raise LostWorkersError(
                "no node of the cluster is left.\nResume the run with `fedcli run --resume` when it is there again, or "
                "on one machine, to the same bits, with --set executor=threads."
            )
        now = time.monotonic()
        self._alone_since = now if self._alone_since is None else self._alone_since
        if now - self._alone_since >= _START_SECONDS:
            raise LostWorkersError(
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
