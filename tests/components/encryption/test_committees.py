"""Who of a committee is asked, who answers, and when a sum stays closed."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from encrypted_runs import BITS, SUMS, added, begun

from fedcli.components.encryption.committee import Presence, make_key
from fedcli.components.encryption.committee_exchange import CommitteeKeys
from fedcli.components.encryption.scheme import Sums, context_of
from fedcli.components.encryption.threshold import draw_committee
from fedcli.core.errors import VoidRoundError
from fedcli.crypto.bfv.attempts import Request
from fedcli.crypto.bfv.errors import DecryptionError
from fedcli.crypto.bfv.plans import plan_threshold
from fedcli.crypto.bfv.wire import ENVELOPE_BYTES

PLAN = plan_threshold(5, members=5, threshold=3, bits=BITS, num_sums=1000)
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
    """Three of five open."""
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
    assert len(told.asked[0]) == 3
    assert counts(exchange) == [1, 0, 3 * ANSWER]


def test_members_that_are_known_to_be_away_are_not_asked(opening):
    told = Told(frozenset({1, 3}))
    exchange, total = opening(told)
    assert np.array_equal(exchange.open(), total)
    assert told.asked == {0: [2, 4, 5]}
    assert counts(exchange) == [1, 2, 3 * ANSWER]


@pytest.mark.parametrize("silent", [(0,), (0, 1)])
def test_after_a_member_that_does_not_answer_another_set_is_asked_without_it(opening, silent):
    told = Told(silent=silent)
    exchange, total = opening(told)
    assert np.array_equal(exchange.open(), total)
    lost = {told.asked[attempt][0] for attempt in silent}
    assert not lost & set(told.asked[len(silent)])
    # The other members of a set had answered before it was known that the first would not.
    assert counts(exchange) == [len(silent) + 1, len(silent), (2 * len(silent) + 3) * ANSWER]


def test_three_attempts_are_made_and_no_more(opening):
    told = Told(silent=(0, 1, 2))
    exchange, _ = opening(told)
    with pytest.raises(
        VoidRoundError, match=r"3 active sets were asked.* 3 of the committee's 5 members are lost"
    ):
        exchange.open()
    assert sorted(told.asked) == [0, 1, 2]
    assert counts(exchange) == [3, 3, 6 * ANSWER]


def test_fewer_than_the_threshold_are_never_asked(opening):
    told = Told(frozenset({1, 2, 3, 5}))
    exchange, _ = opening(told)
    with pytest.raises(VoidRoundError, match="1 of the committee's 5 members are left, but 3 are needed"):
        exchange.open()
    assert told.asked == {}
    assert counts(exchange) == [0, 4, 0]


def test_fewer_than_the_threshold_are_not_asked_again(opening):
    exchange, _ = opening(Told(frozenset({1, 2}), silent=(0,)))
    with pytest.raises(VoidRoundError, match="not decryptable"):
        exchange.open()
    assert counts(exchange) == [1, 3, 2 * ANSWER]


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
    with pytest.raises(DecryptionError, match="member 4 is not in the active set"):
        committee.answers(total, Request(b"context", 0, (1, 2, 3)), [4])


def test_two_sums_of_a_round_are_not_opened_by_two_groups(rounds):
    # Below a majority two groups without a common member did open two sums, and knew client 4's update.
    keys, round = CommitteeKeys(make_key(replace(PLAN, members=3, threshold=2)), Told()), next(rounds)
    exchange, _, sent = begun(keys, round)
    other, _, _ = begun(keys, round)
    whole, less = added(exchange, sent), added(other, {client: sent[client] for client in (0, 1, 2, 3)})
    server = whole.server
    totals = [server.adding.total(), less.server.adding.total()]
    everybody = keys._committee
    context = context_of("a run", round)
    everybody.answers(totals[0], Request(context, 0, (1, 2)), [1, 2])
    assert everybody.answers(totals[1], Request(context, 0, (2, 3)), [3])
    with pytest.raises(DecryptionError, match="another sum was decrypted"):
        everybody.answers(totals[1], Request(context, 1, (2, 3)), [2])


def test_members_take_run_and_round_from_nobody(committee, rounds):
    keys, round = CommitteeKeys(committee, Told()), next(rounds)
    exchange, _, sent = begun(keys, round)
    total = added(exchange, sent).server.adding.total()
    for run, named in (("a run", round + 1), ("a run", round - 1), ("another run", round)):
        with pytest.raises(DecryptionError, match="member 1 was asked for a sum that it does not expect now"):
            committee.answers(total, Request(context_of(run, named), 0, (1, 2, 3)), [1])
    with pytest.raises(DecryptionError, match="member 1 expects sums in order"):
        committee.enter("a run", round - 1)
    with pytest.raises(DecryptionError, match="member 1 expects sums in order"):
        committee.enter("another run", round)


def test_answers_are_coins_of_the_seed():
    coins = [Presence(7, {}, 0.3).answers(round, 0, 1) for round in range(1000)]
    assert 630 < sum(coins) < 770
    assert coins == [Presence(7, {}, 0.3).answers(round, 0, 1) for round in range(1000)]
    assert coins != [Presence(8, {}, 0.3).answers(round, 0, 1) for round in range(1000)]
    assert coins != [Presence(7, {}, 0.3).answers(round, 1, 1) for round in range(1000)]
    assert coins != [Presence(7, {}, 0.3).answers(round, 0, 2) for round in range(1000)]
    assert all(Presence(7, {}, 0.0).answers(round, 0, 1) for round in range(100))


def test_the_committee_is_drawn_by_the_seed():
    sums = Sums(1000, 5, BITS, 0, root=7, rounds=1)
    drawn = draw_committee(sums, 10)
    assert list(drawn) == sorted(set(drawn))
    assert len(drawn) == 10
    assert drawn == draw_committee(sums, 10) != draw_committee(sums._replace(root=8), 10)
    assert draw_committee(SUMS, 5) == (0, 1, 2, 3, 4)
