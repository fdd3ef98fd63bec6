"""What comes back from an actor of the executor `ray`: results, an error of its work, or the cause of its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from fedcli.components.executors.parcels import Parcel, unpacked
from fedcli.core.errors import ComponentError, ConfigError, DiskError, RunError


def results_of(machine: str, parcel: Parcel) -> Sequence[Any]:
    """The results in an actor's answer, which may be written to.

    Raises:
        Exception: the error of the work, if that is the answer.
    """
    # Copied out of shared memory: a component may write to an update, and the memory is needed for the next ones.
    is_result, answer = unpacked(parcel, copies=True)
    if is_result:
        return cast(Sequence[Any], answer)
    # A component fails in the same way everywhere; a file that is missing is missing on one machine.
    if isinstance(answer, ConfigError | RunError) and not isinstance(answer, ComponentError):
        raise placed(machine, answer) from answer
    raise cast(BaseException, answer)


def placed(machine: str, error: Exception) -> Exception:
    """An error of a worker, with its machine."""
    if isinstance(error, ConfigError):
        return ConfigError(f"on {machine}: {error.message}", key=error.key, hint=error.hint)
    return (DiskError if isinstance(error, DiskError) else RunError)(f"on {machine}: {error}")


def cause_of(error: Exception) -> str:
    """Why an actor or a result was lost: the last line of Ray's message, unless that is advice or a guess."""
    import ray

    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return "the memory of its node ran out"
    if isinstance(error, ray.exceptions.ActorUnavailableError):
        # Ray tells of its sockets, and that it does not know whether the task was done.
        return "its process or its node does not answer"
    if "Worker exit type: SYSTEM_ERROR" in str(error):
        # Ray guesses at causes at great length; it sees only that the connection has ended.
        return "its process was killed, for want of memory perhaps, or crashed"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else type(error).__name__
