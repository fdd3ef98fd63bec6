"""Arrays as tensors and back, with as few copies of a large model as TensorFlow allows."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from fedcli.components.clients.runtime.devices import device_kind
from fedcli.components.clients.trainer import Tensor, Tensors
from fedcli.core.types import Array, Vector
from fedcli.core.vectors import ALIGNMENT


def to_device(array: Array | np.generic) -> Tensor:
    """The array as a tensor."""
    import tensorflow as tf

    return tf.constant(array)


@functools.lru_cache(maxsize=4096)
def count_on_device(count: int) -> Tensor:
    """A whole number as an int32 tensor, kept: making one takes longer than a step of a tiny model."""
    return to_device(np.int32(count))


def shared_with_device(array: Array) -> Tensor:
    """An array as a tensor that reads the array's own memory, if it is where TensorFlow can read it.

    Nobody may write to the array while there is the tensor.
    """
    import tensorflow as tf

    if device_kind() != "CPU" or array.ctypes.data % ALIGNMENT or not array.flags.c_contiguous:
        return to_device(array)
    return tf.experimental.dlpack.from_dlpack(np.asarray(_Writable(array)).__dlpack__())


def padded_on_device(arrays: Sequence[Array], length: int) -> Tensor:
    """The rows of all arrays, one array after the other, and zeros up to a length: [n, ...] -> [length, ...].

    They are copied once. New memory costs more than what is calculated of a client's examples, page by page, and the
    zeros take none.
    """
    shape, kind = (length, *arrays[0].shape[1:]), arrays[0].dtype
    num_bytes = math.prod(shape) * kind.itemsize
    buffer = np.zeros(num_bytes + ALIGNMENT, np.uint8)
    first = -buffer.ctypes.data % ALIGNMENT
    whole = buffer[first : first + num_bytes].view(kind).reshape(shape)
    np.concatenate(arrays, out=whole[: sum(map(len, arrays))])
    return shared_with_device(whole)


def vector_of(tensors: Tensors) -> Vector:
    """The values of the tensors in their order, as one vector."""
    # `Tensor.numpy` would make a copy of each, of which this makes another.
    vector: Vector = np.concatenate(
        [np.asarray(memoryview(tensor)).reshape(-1) for tensor in tensors],
        dtype=np.float32,
        casting="same_kind",
    )
    return vector


class _Writable:
    """An array of the same memory, since NumPy hands no read-only one to others; a tensor is never written to."""

    def __init__(self, array: Array) -> None:
        self._array = array
        address = (array.ctypes.data, False)
        self.__array_interface__ = {**array.__array_interface__, "data": address}
