"""The sum of what the server cannot read: weights are added here, updates in the exchange."""

import numpy as np
import pytest
from fakes import LiteralExchange

from fedcli.components.encryption.encrypted_sum import encrypted_sum
from fedcli.core.errors import VoidRoundError
from fedcli.core.rounds import ClientUpdate


def update(client, values, weight):
    payload = np.frombuffer(np.array(values, np.int64).tobytes(), np.uint8)
    return ClientUpdate(client, payload, weight, 1, np.zeros(0, np.float32), {}, {}, 0, 0.0)


def test_updates_are_added_in_the_exchange_and_weights_exactly_here():
    exchange = LiteralExchange()
    weights = [0.1] * 10
    updates = (update(client, [client, 1], weight) for client, weight in enumerate(weights))
    aggregate, state = encrypted_sum(exchange)(updates, 2, {"kept": 1})
    assert aggregate.weight == 1.0 != sum(weights)
    assert aggregate.value.size == 0
    assert exchange.open().tolist() == [45, 10]
    assert state == {"kept": 1}


def test_updates_are_streamed_and_an_empty_cohort_has_weight_zero():
    exchange = LiteralExchange()

    def stream():
        yield update(0, [1], 1.0)
        assert list(exchange.added) == [0]
        yield update(1, [2], 1.0)

    assert encrypted_sum(exchange)(stream(), 1, {})[0].weight == 2.0
    assert encrypted_sum(LiteralExchange())(iter(()), 1, {})[0].weight == 0


def test_what_cannot_be_added_ends_the_sum():
    with pytest.raises(VoidRoundError, match="client 1 cannot be added"):
        encrypted_sum(LiteralExchange(breaks_at=1))([update(0, [1], 1.0), update(1, [2], 1.0)], 1, {})
