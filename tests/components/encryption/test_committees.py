"""Who of a committee is asked, who answers, and when a sum stays closed."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from encrypted_runs import BITS, SUMS, added, begun

from fedcli.components.encryption.committee import Presence, make_key
from fedcli.components.encryption.committee_exchange import CommitteeKeys
from fedcli.components.encryption.scheme import Sums
from fedcli.components.encryption.threshold import draw_committee
from fedcli.core.errors import VoidRoundError
from fedcli.crypto.bfv.attempts import Request
from fedcli.crypto.bfv.errors import DecryptionError
from fedcli.crypto.bfv.plans import plan_threshold
from fedcli.crypto.bfv.wire import ENVELOPE_BYTES

PLAN = plan_threshold(5, members=5, threshold=2, bits=BITS)
ANSWER = ENVELOPE_BYTES + 8 * len(PLAN.ring.data_primes) * PLAN.degree


@dataclass
class Told:
    """Members that are away, and attempts in which the first member that is asked does not answer."""

    members_away: frozenset = frozenset()
    silent: tuple = ()
    asked: dict = field(default_factory=dict)
    root = 7

    def away(self, _round):
        return self.members_away

    def answers(self, _round, attempt, member):
        self.asked.setdefault(attempt, []).append(member)
        return attempt not in self.silent or self.asked[attempt] != [member]


@pytest.fixture(scope="module")
def committee():
    """Two of five open."""
    return make_key(PLAN)


@pytest.fixture
def opening(committee, rounds):
    """Opens a round with the members as they are told to be: its exchange and the true sum."""

    def begin(presence):
        exchange, values, sent = begun(CommitteeKeys(committee, presence), next(rounds))
        return added(exchange, sent), sum(values.values())

    return begin


def counts(exchange):
    figures = exchange.figures()
    return [figures[f"encryption/{name}"] for name in ("attempts", "members_lost", "bytes_opening")]


def test_exactly_the_threshold_is_asked(opening):
    told = Told()
    exchange, total = opening(told)
    assert np.array_equal(exchange.open(), total)
    assert len(told.asked[0]) == 2
    assert counts(exchange) == [1, 0, 2 * ANSWER]


def test_members_that_are_known_to_be_away_are_not_asked(opening):
    told = Told(frozenset({1, 3, 4}))
    exchange, total = opening(told)
    assert np.array_equal(exchange.open(), total)
    assert told.asked == {0: [2, 5]}
    assert counts(exchange) == [1, 3, 2 * ANSWER]


@pytest.mark.parametrize("silent", [(0,), (0, 1)])
def test_after_a_member_that_does_not_answer_another_set_is_asked_without_it(opening, silent):
    told = Told(silent=silent)
    exchange, total = opening(told)
    assert np.array_equal(exchange.open(), total)
    lost = {told.asked[attempt][0] for attempt in silent}
    assert not lost & set(told.asked[len(silent)])
    # The other member of a set had answered before it was known that the first would not.
    assert counts(exchange) == [len(silent) + 1, len(silent), (len(silent) + 2) * ANSWER]


def test_three_attempts_are_made_and_no_more(opening):
    told = Told(silent=(0, 1, 2))
    exchange, _ = opening(told)
    with pytest.raises(
        VoidRoundError, match=r"3 active sets were asked.* 3 of the committee's 5 members are lost"
    ):
        exchange.open()
    assert sorted(told.asked) == [0, 1, 2]
    assert counts(exchange) == [3, 3, 3 * ANSWER]


def test_fewer_than_the_threshold_are_never_asked(opening):
    told = Told(frozenset({1, 2, 3, 5}))
    exchange, _ = opening(told)
    with pytest.raises(VoidRoundError, match="1 of the committee's 5 members are left, but 2 are needed"):
        exchange.open()
    assert told.asked == {}
    assert counts(exchange) == [0, 4, 0]


def test_fewer_than_the_threshold_are_not_asked_again(opening):
    exchange, _ = opening(Told(frozenset({1, 2, 3}), silent=(0,)))
    with pytest.raises(VoidRoundError, match="not decryptable"):
        exchange.open()
    assert counts(exchange) == [1, 4, ANSWER]


def test_a_member_opens_one_sum_in_a_context(committee, rounds):
    keys, round = CommitteeKeys(committee, Told()), next(rounds)
    first, values, sent = begun(keys, round)
    second, _, _ = begun(keys, round)
    added(first, sent)
    added(second, {client: sent[client] for client in (0, 1, 2)})
    assert np.array_equal(first.open(), sum(values.values()))
    with pytest.raises(VoidRoundError, match="another sum was decrypted in this context already"):
        second.open()
    with pytest.raises(VoidRoundError, match="answered already"):
        first.open()


def test_a_member_outside_the_active_set_does_not_answer(committee, rounds):
    exchange, _, sent = begun(CommitteeKeys(committee, Told()), next(rounds))
    total = added(exchange, sent).server.adding.total()
    with pytest.raises(DecryptionError, match="member 3 is not in the active set"):
        committee.answers(total, Request(b"context", 0, (1, 2)), [3])


def test_answers_are_coins_of_the_seed():
    coins = [Presence(7, {}, 0.3).answers(round, 0, 1) for round in range(1000)]
    assert 630 < sum(coins) < 770
    assert coins == [Presence(7, {}, 0.3).answers(round, 0, 1) for round in range(1000)]
    assert coins != [Presence(8, {}, 0.3).answers(round, 0, 1) for round in range(1000)]
    assert coins != [Presence(7, {}, 0.3).answers(round, 1, 1) for round in range(1000)]
    assert coins != [Presence(7, {}, 0.3).answers(round, 0, 2) for round in range(1000)]
    assert all(Presence(7, {}, 0.0).answers(round, 0, 1) for round in range(100))


def test_the_committee_is_drawn_by_the_seed():
    sums = Sums(1000, 5, BITS, 0, root=7)
    drawn = draw_committee(sums, 10)
    assert list(drawn) == sorted(set(drawn))
    assert len(drawn) == 10
    assert drawn == draw_committee(sums, 10) != draw_committee(sums._replace(root=8), 10)
    assert draw_committee(SUMS, 5) == (0, 1, 2, 3, 4)
