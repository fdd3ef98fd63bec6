"""Arrays as tensors and back, with as few copies of a large model as TensorFlow allows."""

from __future__ import annotations

import numpy as np

from fedcli.components.clients.runtime.devices import device_kind
from fedcli.components.clients.trainer import Tensor, Tensors
from fedcli.core.types import Array, Vector
from fedcli.core.vectors import ALIGNMENT


def to_device(array: Array | np.generic) -> Tensor:
    """The array as a tensor."""
    import tensorflow as tf

    return tf.constant(array)


def shared_with_device(vector: Vector) -> Tensor:
    """A vector as a tensor that reads the vector's own memory, if it is where TensorFlow can read it.

    Nobody may write to the vector while there is the tensor.
    """
    import tensorflow as tf

    if device_kind() != "CPU" or vector.ctypes.data % ALIGNMENT or not vector.flags.c_contiguous:
        return to_device(vector)
    return tf.experimental.dlpack.from_dlpack(np.asarray(_Writable(vector)).__dlpack__())


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

    def __init__(self, vector: Vector) -> None:
        self._vector = vector
        address = (vector.ctypes.data, False)
        self.__array_interface__ = {**vector.__array_interface__, "data": address}
