"""Vectors as tensors: in their own memory where TensorFlow can read it."""

import numpy as np
import pytest

from fedcli.components.clients.runtime.tensors import shared_with_device, vector_of
from fedcli.core.vectors import empty_vector


def address(tensor):
    return np.asarray(memoryview(tensor)).ctypes.data


@pytest.mark.parametrize("first", [0, 1])
def test_a_vector_at_the_right_address_is_not_copied_even_if_it_is_read_only(first):
    vector = empty_vector(5)[first:]
    vector[:] = np.arange(vector.size)
    vector.flags.writeable = False
    tensor = shared_with_device(vector)
    assert (address(tensor) == vector.ctypes.data) == (first == 0)
    assert tensor.numpy().tolist() == vector.tolist()
    joined = vector_of([tensor, tensor])
    assert joined.tolist() == [*vector.tolist(), *vector.tolist()]
    joined[0] = 7.0
