"""Vectors as tensors: in their own memory where TensorFlow can read it."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from fedcli.components.clients.runtime.program import traced
from fedcli.components.clients.runtime.tensors import (
    padded_on_device,
    shared_with_device,
    to_device,
    vector_of,
)
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


@pytest.mark.parametrize("kind", [np.float32, np.int64])
def test_rows_are_padded_with_zeros_and_belong_to_nobody_else(kind):
    first, second = np.full((2, 3), 5, kind), np.full((1, 3), 7, kind)
    tensor = padded_on_device([first, first[:0], second], 4)
    first[:] = second[:] = 9
    assert tensor.numpy().tolist() == [[5] * 3, [5] * 3, [7] * 3, [0] * 3]
    assert tensor.numpy().dtype == kind
    assert padded_on_device([first[:0]], 0).shape == (0, 3)


class OfClients(NamedTuple):
    """Inputs of a program as small as can be."""

    x: Any
    y: Any


def test_a_program_refuses_targets_of_another_shape_over_which_a_loss_would_spread():
    import tensorflow as tf

    specs = OfClients(tf.TensorSpec([None, 4]), tf.TensorSpec([None, 3]))
    program = traced(lambda inputs: inputs.x[:, :3] - inputs.y, specs)
    examples, right = (to_device(np.ones((2, size), np.float32)) for size in (4, 3))
    assert program(OfClients(examples, right)).numpy().tolist() == [[0.0] * 3] * 2
    for wrong in (np.ones((2, 1), np.float32), np.ones((2, 3), np.int32)):
        with pytest.raises(TypeError, match=r"targets .* those of the model are float32 of shape \[3\]"):
            program(OfClients(examples, to_device(wrong)))
