"""The examples of a block of clients in one tensor, whether those of the population are in it or not."""

from types import SimpleNamespace

import numpy as np
import pytest

from fedcli.components.clients.runtime.joined_examples import JoinedExamples, coarse

SIZES = (2, 0, 3, 1)


def client(number):
    count = SIZES[number]
    return SimpleNamespace(
        x_train=np.full((count, 2), number, np.float32), y_train=np.arange(count) + 10 * number
    )


@pytest.mark.parametrize(("num_bytes", "rows"), [(100, 6), (2**40, 4)])
def test_each_client_finds_its_own_examples_with_those_of_the_population_or_of_the_block(num_bytes, rows):
    asked = []
    federation = SimpleNamespace(client=lambda number: (asked.append(number), client(number))[1])
    examples = JoinedExamples(federation, num_clients=4, num_bytes=num_bytes)
    for clients in ([3, 2], [2, 3]):
        joined = examples.of(clients)
        assert len(joined.x) == len(joined.y) == rows
        assert joined.counts.tolist() == [SIZES[number] for number in clients]
        for number, first, count in zip(clients, joined.first, joined.counts, strict=True):
            own = slice(first, first + count)
            np.testing.assert_array_equal(joined.x[own], client(number).x_train)
            np.testing.assert_array_equal(joined.y[own], client(number).y_train)
    assert asked == ([0, 1, 2, 3] if rows == 6 else [3, 2, 2, 3])


def test_a_client_that_cannot_be_made_concerns_only_its_own_block():
    def broken(number):
        if number == 1:
            raise OSError("no such file")
        return client(number)

    examples = JoinedExamples(SimpleNamespace(client=broken), num_clients=4, num_bytes=100)
    assert examples.of([0, 3]).counts.tolist() == [2, 1]
    with pytest.raises(OSError, match="no such file"):
        examples.of([0, 1])


def test_lengths_are_padded_to_few_sizes():
    assert [coarse(length) for length in (0, 1, 2, 5, 16, 17)] == [1, 1, 4, 16, 16, 64]
    assert [coarse(length, bits=4) for length in (1, 2, 16, 17, 257)] == [1, 16, 16, 256, 4096]
