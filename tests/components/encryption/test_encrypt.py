"""Encryption as a transform: what is sent, what is checked on arrival, and the sum that comes back."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import LiteralExchange, LiteralSender, literal_encryption

from fedcli.components.encryption.encrypt import encrypt
from fedcli.core.errors import ConfigError, InvalidUpdateError, VoidRoundError
from fedcli.core.integer_grid import IntegerGrid
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundContext, Session

GRID = IntegerGrid(clip_norm=2.0, bits=8, max_examples=10)


def part_of(**changes):
    return encrypt(literal_encryption(**changes), grid=GRID, plain_bytes=lambda size: 2 * size)


def in_round(**behaviour):
    exchange = LiteralExchange(**behaviour)
    sessions, told = {"encrypt": Session(exchange)}, {"encrypt": LiteralSender()}
    return exchange, RoundContext(7, 1, False, sessions=sessions, told=told)


def update(values, client=3, weight=0.5, num_examples=5, bytes_up=106):
    payload = np.asarray(values, np.int64)
    return ClientUpdate(client, payload, weight, num_examples, np.zeros(0, np.float32), {}, {}, bytes_up, 0.1)


def test_what_is_sent_is_the_ciphertext_and_counts_in_place_of_the_integers():
    _, context = in_round()
    sent = part_of().encode(update([1, -2, 3]), {}, context)
    assert sent.payload.dtype == np.uint8
    assert sent.payload.tobytes() == np.array([1, -2, 3]).tobytes()
    assert sent.bytes_up == 106 - 2 * 3 + 8 * 3
    assert (sent.client, sent.weight, sent.num_examples) == (3, 0.5, 5)


def test_integers_that_do_not_fit_are_not_sent():
    class Tight:
        def encrypt(self, values):
            raise InvalidUpdateError("beyond what was planned")

    with pytest.raises(InvalidUpdateError, match="beyond"):
        part_of().encode(update([1]), {}, RoundContext(7, 1, False, told={"encrypt": Tight()}))


def test_the_server_asks_the_exchange_and_checks_the_weight_itself():
    _, context = in_round(refuses={4: "its digest does not match"})
    part = part_of()
    honest = part.encode(update([1, 2]), {}, context)
    assert part.admit(honest, {}, context) is None
    assert part.admit(replace(honest, client=4), {}, context) == "its digest does not match"
    assert part.admit(replace(honest, weight=1.0), {}, context) == (
        "the update has weight 1; 5 examples have 0.5"
    )


def test_nothing_is_added_by_a_check():
    exchange, context = in_round()
    part = part_of()
    part.admit(part.encode(update([1, 2]), {}, context), {}, context)
    assert exchange.added == {}


def test_the_sum_comes_back_and_the_rest_of_the_aggregate_stays():
    exchange, context = in_round()
    exchange.added = {0: np.array([1, 2]), 1: np.array([10, -20])}
    aggregate, state = part_of().decode(Aggregate(np.zeros(0, np.int64), 1.5), {"kept": 1}, context)
    assert aggregate.value.tolist() == [11, -18]
    assert (aggregate.weight, state) == (1.5, {"kept": 1})


def test_a_sum_that_stays_closed_voids_the_round():
    _, context = in_round(void="nobody is there")
    with pytest.raises(VoidRoundError, match="nobody is there"):
        part_of().decode(Aggregate(np.zeros(0, np.int64), 1.0), {}, context)


def test_without_keys_nothing_is_sent_as_it_is():
    with pytest.raises(ConfigError, match="the round has no keys"):
        part_of().encode(update([1]), {}, RoundContext(7, 1, False))


def test_what_stands_before_it_is_hidden_and_its_bytes_are_those_of_the_encryption():
    part = part_of(min_clients=3)
    assert (part.hides, part.takes, part.gives, part.min_clients) == (True, "integers", "ciphertext", 3)
    assert part.coded_bytes(10) == 80
