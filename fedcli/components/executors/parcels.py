"""What travels between processes: pickled values, and errors that survive the way."""

from __future__ import annotations

import pickle
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError, RunError


class Parcel(NamedTuple):
    """A pickled value whose large arrays are apart, so that shared memory can hold them without a further copy.

    Args:
        content: the pickle without the arrays.
        arrays: the bytes of each array.
    """

    content: bytes
    arrays: list[npt.NDArray[np.uint8]]

    @property
    def num_bytes(self) -> int:
        """Its size."""
        return len(self.content) + sum(array.nbytes for array in self.arrays)


def packed(value: object) -> Parcel:
    """The value as a parcel; its arrays are not copied.

    Raises:
        ConfigError: if the value cannot be pickled.
    """
    buffers: list[pickle.PickleBuffer] = []
    content = pickled(value, buffers)
    return Parcel(content, [np.asarray(buffer.raw()) for buffer in buffers])


def unpacked(parcel: Parcel, *, copies: bool = False) -> Any:
    """The value of a parcel.

    Args:
        parcel: as `packed` made it.
        copies: whether its arrays are copied; otherwise they are views of the parcel's, which may be read-only.
    """
    arrays = [np.array(array) for array in parcel.arrays] if copies else parcel.arrays
    return pickle.loads(parcel.content, buffers=arrays)


def pickled(value: object, buffers: list[pickle.PickleBuffer] | None = None) -> bytes:
    """The pickle of an experiment's work; arrays go to `buffers` if it is given.

    Raises:
        ConfigError: if that is impossible.
    """
    try:
        return pickle.dumps(
            value, pickle.HIGHEST_PROTOCOL, buffer_callback=None if buffers is None else buffers.append
        )
    # What pickle raises depends on the object: a lambda, a local class, a lock.
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"this experiment cannot be sent to another process: {error}.",
            key="executor",
            hint="Use executor: threads, or name your components as package.module:factory.",
        ) from error


def portable(error: Exception) -> Exception:
    """The error, or an error with its words: an exception of a custom module may not survive pickling."""
    try:
        pickle.loads(pickle.dumps(error, pickle.HIGHEST_PROTOCOL))
    except Exception:  # noqa: BLE001 - a custom `__reduce__` can raise anything
        return RunError(f"{type(error).__name__}: {error}")
    return error
