"""Threshold decryption: any threshold of members opens a sum, fewer do not, and members answer for one sum only."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from protected import DIGEST, flipped, meddled, reached, redigested, values

from fedcli.core.errors import ConfigError
from fedcli.crypto.bfv import committee, seal
from fedcli.crypto.bfv.attempts import A, Request, factors
from fedcli.crypto.bfv.ciphertexts import Adder, read_sum
from fedcli.crypto.bfv.committee import Dealing, MemberKey, PublicKey
from fedcli.crypto.bfv.errors import CiphertextError, DecryptionError
from fedcli.crypto.bfv.plans import ATTEMPTS, MOST_VALUES, plan_threshold
from fedcli.crypto.bfv.residues import combine
from fedcli.crypto.bfv.shared_key import decrypt_slots
from fedcli.crypto.bfv.streams import ciphertext_words, ciphertexts, factor
from fedcli.crypto.bfv.threshold import Member, encrypt, fuse
from fedcli.crypto.bfv.wire import ENVELOPE_BYTES

SEED = b"a public seed"
PLAN = plan_threshold(5, members=4, threshold=3, bits=20, num_sums=3)


def dealt(plan):
    dealings = {index: committee.deal(plan, index, SEED) for index in range(1, plan.members + 1)}
    commitments = {index: dealing.commitment for index, dealing in dealings.items()}
    openings = {index: dealing.opening for index, dealing in dealings.items()}
    return dealings, commitments, openings


def ceremony(plan):
    dealings, commitments, openings = dealt(plan)
    public = committee.public_key(plan, SEED, commitments, openings)
    keys = {
        index: committee.member_key(
            public, index, SEED, {i: one.shares[index] for i, one in dealings.items()}
        )
        for index in dealings
    }
    return public, keys


@pytest.fixture(scope="module")
def made():
    return ceremony(PLAN)


def expecting(keys, context=b"sum", number=0):
    """The members of these keys, who know which sum comes next."""
    members = {index: Member(key) for index, key in keys.items()}
    for member in members.values():
        member.expect(context, number)
    return members


@pytest.fixture
def members(made):
    return expecting(made[1])


@pytest.fixture(scope="module")
def parties():
    rng = np.random.default_rng(1)
    return [values(rng, 300, 2**20) for _ in range(3)]


@pytest.fixture(scope="module")
def total(made, parties):
    return added(made[0], [encrypt(party, made[0]) for party in parties])


def added(public, ciphertexts):
    adder = Adder(public.scheme)
    for data in ciphertexts:
        adder.add(data)
    return adder.total()


def answers(members, total, request):
    return {index: members[index].partial(total, request) for index in request.active}


def test_every_threshold_of_members_opens_the_sum(made, parties, total):
    for number, active in enumerate(itertools.permutations(range(1, 5), 3)):
        members = expecting(made[1], b"sum %d" % number)
        request = Request(b"sum %d" % number, 0, active)
        opened = fuse(total, made[0], request, answers(members, total, request))
        assert np.array_equal(opened, sum(parties))


@pytest.mark.parametrize(
    ("num_summands", "members", "threshold"),
    [
        (2, 2, 2),
        (10, 3, 2),
        (30, 12, 9),
        (100, 5, 3),
        pytest.param(1000, 5, 3, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_plans_are_exact_with_most_summands_at_the_largest_values(num_summands, members, threshold):
    plans = [
        plan_threshold(num_summands, members=members, threshold=threshold, bits=bits)
        for bits in range(18, 30)
    ]
    for prime_bits in sorted({plan.prime_bits for plan in plans}):
        plan = min(
            (plan for plan in plans if plan.prime_bits == prime_bits), key=lambda plan: plan.failure_bits
        )
        assert_exact_at_the_edge(plan)


def assert_exact_at_the_edge(plan):
    num_summands, members, threshold = plan.num_summands, plan.members, plan.threshold
    public, keys = ceremony(plan)
    extremes = np.resize(np.array([1, -1, -1, 1, 0]) * plan.largest_value, plan.degree * plan.fields)
    total = added(public, [encrypt(extremes, public) for _ in range(num_summands)])
    request = Request(b"edge", 2, tuple(range(members, members - threshold, -1)))
    opened = fuse(total, public, request, answers(expecting(keys, b"edge"), total, request))
    assert np.array_equal(opened, num_summands * extremes)
    assert abs(opened).max() == plan.largest_sum


def test_smudging_beyond_the_plan_decrypts_wrongly():
    # What the plan guards against: the same ring with noise that reaches over half of q / t.
    narrow = plan_threshold(100, members=2, threshold=2, bits=20)
    wide = replace(narrow, plain_bits=58, smudging_bits=126)
    public, keys = ceremony(wide)
    total = added(public, [encrypt(np.arange(100), public)] * 2)
    request = Request(b"wide", 0, (1, 2))
    try:
        opened = fuse(total, public, request, answers(expecting(keys, b"wide"), total, request))
    except DecryptionError:
        return
    assert not np.array_equal(opened, 2 * np.arange(100))


def test_one_answer_less_does_not_open_the_sum(made, members, total):
    request = Request(b"sum", 0, (1, 2, 3))
    partials = answers(members, total, request)
    del partials[2]
    with pytest.raises(DecryptionError, match=r"all 3 answers of the active set; those of \[2\] are missing"):
        fuse(total, made[0], request, partials)
    for active in ((1, 3), (1, 2, 3, 4)):
        with pytest.raises(DecryptionError, match="3 of 4 members decrypt a sum"):
            fuse(total, made[0], Request(b"sum", 1, active), partials)


def test_one_share_less_is_not_the_key(made, total):
    # With the Lagrange factors of two points the shares give another polynomial, under which nothing is readable.
    plan, keys = PLAN, made[1]
    rows = [
        combine({index: keys[index].words[row] for index in (1, 2)}, 2, prime=prime)
        for row, prime in enumerate(plan.ring.data_primes)
    ]
    whole = [
        combine({index: keys[index].words[row] for index in (1, 2, 4)}, 3, prime=prime)
        for row, prime in enumerate(plan.ring.data_primes)
    ]
    words = read_sum(total, made[0].scheme)[1]

    def under(key):
        encrypted = ciphertexts(plan.ring, words)
        # No member has a share modulo the prime that SEAL keeps for keys, and decryption does not use it.
        return decrypt_slots(
            plan.ring, encrypted, key=np.stack([*key, np.zeros_like(key[0])]), count=len(words)
        )

    right, wrong = under(whole), under(rows)
    assert not right[0, 300:].any()
    # A slot of a wrong decryption is right by chance only.
    assert (right == wrong).mean() < 0.01


def test_a_lost_member_is_replaced_at_the_next_attempt(made, members, parties, total):
    first = Request(b"sum", 0, (1, 2, 3))
    early = {index: members[index].partial(total, first) for index in (1, 3)}
    second = Request(b"sum", 1, (1, 4, 3))
    partials = answers(members, total, second)
    assert np.array_equal(fuse(total, made[0], second, partials), sum(parties))
    with pytest.raises(CiphertextError, match="another scheme, key or request"):
        fuse(total, made[0], second, partials | early)


def test_attempts_are_counted(members, total):
    for attempt in range(ATTEMPTS):
        members[1].partial(total, Request(b"sum", attempt, (1, 2, 3)))
    with pytest.raises(DecryptionError, match="3 times at most"):
        members[1].partial(total, Request(b"sum", ATTEMPTS, (1, 2, 3)))
    with pytest.raises(DecryptionError, match="attempt 0 of this sum was answered already"):
        members[1].partial(total, Request(b"sum", 0, (1, 2, 4)))


def test_a_member_opens_one_sum_a_context(made, members, total, parties):
    members[1].partial(total, Request(b"sum", 0, (1, 2, 3)))
    other = added(made[0], [encrypt(party, made[0]) for party in parties[:2]])
    with pytest.raises(DecryptionError, match="another sum was decrypted"):
        members[1].partial(other, Request(b"sum", 1, (1, 2, 3)))


def test_a_member_answers_no_more_sums_than_its_smudging_is_planned_for(made, total):
    member = Member(made[1][1])
    for number in range(PLAN.num_sums):
        member.expect(b"sum %d" % number, number)
        for attempt in (0, 1):
            member.partial(total, Request(b"sum %d" % number, attempt, (1, 2, 3)))
    member.expect(b"one more", PLAN.num_sums)
    with pytest.raises(
        DecryptionError, match=rf"planned for 3 sums of at most {MOST_VALUES} values; .* sum 4"
    ):
        member.partial(total, Request(b"one more", 0, (1, 2, 3)))


def test_a_member_answers_only_what_it_expects_and_only_once(made, members, total):
    for context in (b"another", b""):
        with pytest.raises(DecryptionError, match="a sum that it does not expect now"):
            members[1].partial(total, Request(context, 0, (1, 2, 3)))
    with pytest.raises(DecryptionError, match="does not expect now"):
        Member(made[1][1]).partial(total, Request(b"", 0, (1, 2, 3)))
    members[1].partial(total, Request(b"sum", 1, (1, 2, 3)))
    # Attempts go forward too: an earlier one was never answered, and is not answered any more.
    with pytest.raises(DecryptionError, match="attempt 0 of this sum was answered already, or a later one"):
        members[1].partial(total, Request(b"sum", 0, (1, 2, 3)))
    members[1].expect(b"next", 5)
    members[1].partial(total, Request(b"next", 0, (1, 2, 3)))
    for context, number in ((b"sum", 0), (b"another", 5)):
        with pytest.raises(DecryptionError, match="member 1 expects sums in order"):
            members[1].expect(context, number)


def test_a_member_opens_no_single_value(made, members, parties):
    alone = added(made[0], [encrypt(parties[0], made[0])])
    with pytest.raises(DecryptionError, match="at least 2 summands; received a sum of 1"):
        members[1].partial(alone, Request(b"sum", 0, (1, 2, 3)))


@pytest.mark.parametrize("active", [(2, 3, 4), (1, 1, 2), (0, 1, 2), (1, 2, 5), ()])
def test_a_request_that_makes_no_sense_is_refused(members, total, active):
    with pytest.raises(DecryptionError, match="active set"):
        members[1].partial(total, Request(b"sum", 0, active))


def test_answers_differ_at_every_attempt(members, total):
    drawn = [members[1].partial(total, Request(b"sum", attempt, (1, 2, 3))) for attempt in range(2)]
    bodies = [np.frombuffer(one[ENVELOPE_BYTES - DIGEST : -DIGEST], "<u8") for one in drawn]
    # The zero of each attempt moves c_1, so that the difference is not noise alone.
    assert (bodies[0] == bodies[1]).mean() < 0.01
    moved = (bodies[0].astype(object) - bodies[1]) % PLAN.ring.data_primes[0]
    assert np.median([min(value, PLAN.ring.data_primes[0] - value) for value in moved[:8192]]) > 2**56


def test_smudging_hides_the_noise_of_the_ciphertexts(members, made, total):
    # Two members with the same key answer the same request: what differs is their smudging, twice uniform.
    request = Request(b"sum", 0, (1, 2, 3))
    pair = [expecting(made[1])[1].partial(total, request) for _ in range(2)]
    bodies = [np.frombuffer(one[ENVELOPE_BYTES - DIGEST : -DIGEST], "<u8").reshape(3, -1) for one in pair]
    product = math.prod(PLAN.ring.data_primes)
    found = 0
    for row, prime in enumerate(PLAN.ring.data_primes):
        others = product // prime
        difference = (bodies[0][row].astype(object) - bodies[1][row]) % prime
        found = found + difference * (others * pow(others, -1, prime))
    differences = [(value + product // 2) % product - product // 2 for value in found % product]
    largest = max(abs(value) for value in differences)
    assert 2 ** (PLAN.smudging_bits + 0.8) < largest < 2 ** (PLAN.smudging_bits + 1)


def test_meddled_and_foreign_bytes_are_refused(made, members, total):
    fresh = encrypt(np.arange(100), made[0])
    adder = Adder(made[0].scheme)
    for bad in itertools.islice(meddled(fresh), 0, None, 4):
        with pytest.raises(CiphertextError):
            adder.add(bad)
    foreign_public, _ = ceremony(PLAN)
    with pytest.raises(CiphertextError, match="another scheme, key"):
        adder.add(encrypt(np.arange(100), foreign_public))
    for bad in (total[:-1], flipped(total, 60), fresh, b""):
        with pytest.raises(CiphertextError):
            members[1].partial(bad, Request(b"sum", 0, (1, 2, 3)))
    # A refused sum is not remembered.
    members[1].partial(total, Request(b"sum", 0, (1, 2, 3)))


def test_meddled_answers_are_refused(made, members, total):
    request = Request(b"sum", 0, (1, 2, 3))
    partials = answers(members, total, request)
    at = ENVELOPE_BYTES - DIGEST
    large = bytearray(partials[2][:-DIGEST])
    large[at : at + 8] = b"\xff" * 8
    exchanged = partials[3]
    for bad in (*itertools.islice(meddled(partials[2]), 0, None, 9), redigested(large), exchanged, total):
        with pytest.raises(CiphertextError):
            fuse(total, made[0], request, partials | {2: bad})


def test_ciphertexts_that_cancel_are_refused_and_crash_nothing(made):
    fresh = encrypt(np.arange(100), made[0])
    at = ENVELOPE_BYTES - DIGEST
    words = np.frombuffer(fresh[at:-DIGEST], "<u8").reshape(2, 3, -1).astype(np.uint64)
    primes = np.array(PLAN.ring.data_primes, np.uint64)[:, None]
    negative = np.where(words == 0, words, primes - words)
    adder = Adder(made[0].scheme)
    adder.add(fresh)
    before = adder.total()
    with pytest.raises(CiphertextError, match="cannot be added"):
        adder.add(redigested(fresh[:at] + negative.astype("<u8").tobytes()))
    assert adder.total() == before


def test_a_sum_that_cancels_an_attempts_zero_is_refused(made, members, total):
    request = Request(b"sum", 0, (1, 2, 3))
    # u a, as a member computes it.
    (drawn,) = factors(made[0], request, 1)
    evaluator = seal.library().Evaluator(PLAN.ring.context)
    (zero,) = ciphertexts(PLAN.ring, [(drawn, drawn)])
    evaluator.transform_to_ntt_inplace(zero)
    evaluator.multiply_plain_inplace(zero, factor(PLAN.ring, made[0].words[A, :3]))
    evaluator.transform_from_ntt_inplace(zero)
    words = ciphertext_words(PLAN.ring, [zero], 2)[1]
    primes = np.array(PLAN.ring.data_primes, np.uint64)[:, None]
    negative = np.where(words == 0, words, primes - words).astype("<u8").tobytes()
    at = ENVELOPE_BYTES - DIGEST
    crafted = redigested(total[: at + len(negative)] + negative)
    with pytest.raises(CiphertextError, match="cannot be decrypted"):
        members[1].partial(crafted, request)


def test_the_common_reference_is_the_same_for_everybody_and_uniform():
    first, second = (committee.common_reference(PLAN, seed) for seed in (SEED, b"another"))
    assert np.array_equal(first, committee.common_reference(PLAN, SEED))
    assert (first != second).mean() > 0.99
    for row, prime in zip(first, PLAN.ring.primes, strict=True):
        assert row.max() < prime
        assert abs(row.astype(float).mean() / prime - 0.5) < 0.03


def test_a_key_is_opened_as_it_was_committed_to():
    _, commitments, openings = dealt(PLAN)
    rogue = committee.deal(PLAN, 4, SEED).opening
    with pytest.raises(CiphertextError, match="member 4 opened another key"):
        committee.public_key(PLAN, SEED, commitments, openings | {4: rogue})
    with pytest.raises(DecryptionError, match="needs the openings of members 1 to 4"):
        committee.public_key(PLAN, SEED, commitments, {1: openings[1]})
    with pytest.raises(CiphertextError):
        committee.public_key(PLAN, b"another seed", commitments, openings)


def test_key_shares_are_for_one_member_and_whole(made):
    dealings, commitments, openings = dealt(PLAN)
    public = committee.public_key(PLAN, SEED, commitments, openings)
    shares = {index: one.shares[2] for index, one in dealings.items()}
    for bad in (dealings[3].shares[1], shares[3][:-1], flipped(shares[3], 100)):
        with pytest.raises(CiphertextError):
            committee.member_key(public, 2, SEED, shares | {3: bad})
    del shares[3]
    with pytest.raises(DecryptionError, match=r"received \[1, 2, 4\]"):
        committee.member_key(public, 2, SEED, shares)


def test_a_value_beyond_the_plan_is_refused(made):
    with pytest.raises(ConfigError, match="beyond 1048576"):
        encrypt(np.array([2**20 + 1]), made[0])


def test_secrets_never_show(made, members):
    dealing = committee.deal(PLAN, 1, SEED)
    key = made[1][1]
    shown = repr(dealing) + repr(key) + repr(members[1]) + str(vars(dealing).keys())
    assert "\\x" not in repr(members[1])
    assert not any(str(word) in shown for word in key.words.ravel()[:50].tolist())
    assert not any(repr(share)[10:40] in shown for share in dealing.shares.values())


def test_who_adds_and_fuses_has_no_path_to_a_secret(made, total):
    public, keys = made
    adder = Adder(public.scheme)
    adder.add(encrypt(np.arange(10), public))
    library = seal.library()
    forbidden = (MemberKey, Member, Dealing, library.SecretKey, library.KeyGenerator, library.Decryptor)
    led_to = reached(adder, public, total)
    assert any(isinstance(one, PublicKey) for one in led_to)
    assert not [one for one in led_to if isinstance(one, forbidden)]
    shares = [key.words.tobytes()[:64] for key in keys.values()]
    assert not [one for one in led_to if isinstance(one, bytes) and any(share in one for share in shares)]
    arrays = [one for one in led_to if isinstance(one, np.ndarray)]
    assert arrays
    assert not [one for one in arrays if any(np.array_equal(one, key.words) for key in keys.values())]
    assert any(isinstance(one, MemberKey) for one in reached(Member(keys[1])))
