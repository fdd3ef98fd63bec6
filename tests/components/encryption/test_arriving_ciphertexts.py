"""The server's check: what is no update of this client, round and key is refused with its reason."""

import struct

import numpy as np
import pytest
from encrypted_runs import SCHEMES, SUMS, added, begun, encryption_of
from fakes import SIZE
from protected import DIGEST, meddled, redigested

from fedcli.components.encryption.ciphertext_server import LABEL_BYTES
from fedcli.core.errors import InvalidUpdateError, VoidRoundError

HEAD = 49
"""Bytes of an envelope before its body."""


@pytest.fixture(params=SCHEMES)
def name(request):
    return request.param


@pytest.fixture
def started(name, keys, rounds):
    return begun(keys[name], next(rounds))


def test_what_is_as_it_should_be_is_added_and_opened(started):
    exchange, values, sent = started
    total = added(exchange, sent).open()
    assert total.dtype == np.int64
    assert np.array_equal(total, sum(values.values()))


def test_meddled_bytes_are_refused_with_a_sentence(started):
    exchange, _, sent = started
    refusals = [exchange.check(0, bad) for bad in meddled(sent[0])]
    assert len(refusals) > 90
    assert all(refusals)
    assert not any(refusal.endswith(".") for refusal in refusals)
    assert exchange.check(0, sent[0]) is None


def test_the_sum_is_that_of_the_others(started):
    exchange, values, sent = started
    assert exchange.check(3, sent[3][:-5])
    others = {client: data for client, data in sent.items() if client != 3}
    assert np.array_equal(added(exchange, others).open(), sum(values[client] for client in others))


def test_bytes_of_another_round_client_or_key_are_refused(name, started, keys, rounds):
    exchange, _, sent = started
    _, _, later = begun(keys[name], next(rounds))
    _, _, foreign = begun(encryption_of(name).start(None), next(rounds))
    for bad in (later[0], foreign[0], sent[1]):
        assert "another" in exchange.check(0, bad)


def test_a_second_update_and_one_from_outside_the_cohort_are_refused(started):
    exchange, _, sent = started
    exchange.add(0, sent[0])
    for stranger in (0, 99):
        assert (
            exchange.check(stranger, sent[0])
            == f"an update of client {stranger} is not expected, or was added already"
        )


@pytest.mark.parametrize("size", [SIZE - 1, SIZE + 1])
def test_the_size_is_known_from_the_plan_and_not_from_who_comes_first(name, size, keys, rounds):
    exchange, _, sent = begun(keys[name], next(rounds))
    at = 0 if name == "secagg" else LABEL_BYTES
    assert f"{SIZE} of one client are expected" in exchange.check(0, sent[0][:at] + sized(sent[0][at:], size))
    added(exchange, {client: sent[client] for client in (1, 2, 3, 4)}).open()


def sized(data, size):
    """An envelope that says another number of values."""
    inner = bytearray(data[:-DIGEST])
    struct.pack_into("<Q", inner, 37, size)
    return redigested(inner)


def test_dishonest_bytes_with_a_fitting_digest_are_refused(name, started):
    exchange, _, sent = started
    label = b"" if name == "secagg" else sent[0][:LABEL_BYTES]
    inner = sent[0][len(label) : -DIGEST]

    def refused(changed):
        return exchange.check(0, label + redigested(changed))

    assert "bytes" in refused(inner + bytes(8))
    assert refused(inner[:HEAD])
    if name != "secagg":
        assert "below its prime" in refused(inner[:HEAD] + b"\xff" * 8 + inner[HEAD + 8 :])


def test_a_ciphertext_without_a_key_in_it_is_refused(keys, rounds):
    exchange, _, sent = begun(keys["threshold"], next(rounds))
    inner = bytearray(sent[0][LABEL_BYTES:-DIGEST])
    inner[HEAD + (len(inner) - HEAD) // 2 :] = bytes((len(inner) - HEAD) // 2)
    assert exchange.check(0, sent[0][:LABEL_BYTES] + redigested(inner)) == (
        "a ciphertext can be read without a key"
    )


def test_values_beyond_the_plan_are_not_sent(name, keys, rounds):
    exchange = keys[name].begin(next(rounds), range(5), run="beyond", size=SIZE)
    with pytest.raises(InvalidUpdateError, match=r"the largest value of the (encryption|masking) plan$"):
        exchange.sender(0).encrypt(np.full(SIZE, 2**SUMS.bits + 1))


def test_what_was_not_checked_and_cannot_be_added_voids_the_round(started):
    exchange, _, sent = started
    with pytest.raises(VoidRoundError, match="update of client 1 cannot be added"):
        exchange.add(1, sent[1][:-1])


def test_a_sum_of_nobody_is_void(started):
    exchange, _, _ = started
    with pytest.raises(VoidRoundError):
        exchange.open()


def test_what_comes_after_the_sum_was_opened_is_refused_and_no_second_one_is_opened(started):
    exchange, _, sent = started
    added(exchange, {client: sent[client] for client in (0, 1, 2, 3)}).open()
    assert exchange.check(4, sent[4]) == "an update of client 4 arrived after the sum was opened"
    with pytest.raises(VoidRoundError, match="update of client 4 cannot be added"):
        exchange.add(4, sent[4])
    with pytest.raises(VoidRoundError):
        exchange.open()


def test_a_sum_of_one_stays_closed(started):
    exchange, _, sent = started
    exchange.add(0, sent[0])
    with pytest.raises(VoidRoundError, match=r"at least|were lost"):
        exchange.open()


def test_the_figures_are_numbers_and_count_what_was_done(name, started):
    exchange, _, sent = started
    before = exchange.figures()
    added(exchange, sent).open()
    figures = exchange.figures()
    assert set(before) == set(figures)
    assert all(type(value) in (int, float) for value in figures.values())
    assert figures["encryption/add_seconds"] > before["encryption/add_seconds"]
    assert figures["encryption/open_seconds"] > 0
    assert figures["encryption/attempts"] == 1
    assert figures["encryption/bytes_opening"] > 0 == before["encryption/bytes_opening"]
