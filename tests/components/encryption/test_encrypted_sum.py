"""The encrypted sum: weights are added by the transform, ciphertexts by the exchange."""

import numpy as np
import pytest
from fakes import LiteralExchange, literal_encryption

from fedcli.components.encryption.encrypt import encrypt
from fedcli.core.errors import VoidRoundError
from fedcli.core.integer_grid import IntegerGrid
from fedcli.core.rounds import ClientUpdate, RoundContext, Session


def summed(exchange, updates):
    """What the transform makes of a stream of updates, on the server."""
    grid = IntegerGrid(clip_norm=2.0, bits=8, max_examples=None)
    part = encrypt(literal_encryption(), grid=grid, plain_bytes=lambda size: 2 * size)
    return part.aggregate(updates, RoundContext(7, 1, False, sessions={"encrypt": Session(exchange)}))


def update(client, values, weight):
    payload = np.frombuffer(np.array(values, np.int64).tobytes(), np.uint8)
    return ClientUpdate(client, payload, weight, 1, np.zeros(0, np.float32), {}, {}, 0, 0.0)


def test_updates_are_added_in_the_exchange_and_weights_exactly_here():
    exchange = LiteralExchange()
    weights = [0.1] * 10
    updates = (update(client, [client, 1], weight) for client, weight in enumerate(weights))
    aggregate = summed(exchange, updates)
    assert aggregate.weight == 1.0 != sum(weights)
    assert aggregate.value.size == 0
    assert exchange.open().tolist() == [45, 10]


def test_updates_are_streamed_and_an_empty_cohort_has_weight_zero():
    exchange = LiteralExchange()

    def stream():
        yield update(0, [1], 1.0)
        assert list(exchange.added) == [0]
        yield update(1, [2], 1.0)

    assert summed(exchange, stream()).weight == 2.0
    assert summed(LiteralExchange(), iter(())).weight == 0


def test_what_cannot_be_added_ends_the_sum():
    with pytest.raises(VoidRoundError, match="client 1 cannot be added"):
        summed(LiteralExchange(breaks_at=1), [update(0, [1], 1.0), update(1, [2], 1.0)])
