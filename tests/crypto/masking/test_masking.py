"""Pairwise masks: they cancel whichever parties are lost, and they hide the values."""

import itertools

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from protected import DIGEST, flipped, meddled, reached, redigested, values

from fedcli.core.errors import ConfigError
from fedcli.crypto.bfv.errors import CiphertextError, DecryptionError
from fedcli.crypto.bfv.residues import combine
from fedcli.crypto.masking.graph import neighbours, plan_masking
from fedcli.crypto.masking.masking import MaskSeeds, Party, key_bytes, mask
from fedcli.crypto.masking.masks import FIELD, MaskScheme, limbs, masked, pair_seed, seed_of
from fedcli.crypto.masking.unmasking import MaskedSum
from fedcli.crypto.noise import keystream

SIZE = 40


def scheme_of(num_parties, **planned):
    plan = plan_masking(num_parties, **{"bits": 20, "dropped": 0.2, "corrupt": 0.2, **planned})
    return MaskScheme(plan, b"sum 1", neighbours(plan, b"circle"))


class Sum:
    """All sides of one sum, with parties that are lost before they share, or before they send."""

    def __init__(self, scheme, silent=(), lost=(), largest=2**20):
        rng = np.random.default_rng(3)
        everyone = range(scheme.plan.num_parties)
        self.scheme = scheme
        self.parties = {index: Party(scheme, index) for index in everyone}
        self.inputs = {index: values(rng, SIZE, largest) for index in everyone}
        self.keys = {index: party.advertise() for index, party in self.parties.items()}
        sharers = frozenset(everyone) - set(silent)
        self.shares = {index: self.parties[index].share(self.keys) for index in sharers}
        self.received = {
            index: {
                other: self.shares[other][index] for other in scheme.neighbours[index] if other in sharers
            }
            for index in sharers
        }
        self.masked = {
            index: mask(self.inputs[index], self.parties[index].agree(self.received[index], sharers))
            for index in sharers
        }
        self.adder = MaskedSum(scheme, self.keys, sharers)
        for index in sharers - set(lost):
            self.adder.add(index, self.masked[index])

    @property
    def expected(self):
        return sum(self.inputs[index] for index in self.adder.came_through)

    def reveals(self, silent=()):
        through, lost = self.adder.came_through, self.adder.lost
        return {index: self.parties[index].reveal(through, lost) for index in through - set(silent)}


@pytest.mark.parametrize(
    ("num_parties", "silent", "lost", "late"),
    [(3, (), (), ()), (10, (), (), ()), (10, (), (4, 7), ()), (10, (2,), (9,), ()), (10, (), (0,), (5,)),
     (64, (8,), (17, 33), (50, 51))],
    ids=str,
)  # fmt: skip
def test_the_sum_is_exact_whoever_is_lost_between_the_steps(num_parties, silent, lost, late):
    shares = {"dropped": 0.1, "corrupt": 0.05} if num_parties == 64 else {}
    one = Sum(scheme_of(num_parties, **shares), silent, lost)
    assert (one.scheme.plan.num_neighbours < num_parties - 1) == (num_parties == 64)
    assert one.adder.lost == set(lost)
    assert np.array_equal(one.adder.unmask(one.reveals(late)), one.expected)


def read_by(one, colluders, victim):
    """The victim's value as these parties and the server compute it from all that they have, or None."""
    held = {index + 1: one.parties[index]._received[victim] for index in colluders}
    both = [combine({at: pair[kind] for at, pair in held.items()}, len(held), prime=FIELD) for kind in (0, 1)]
    try:
        own, private = seed_of(both[0]), X25519PrivateKey.from_private_bytes(seed_of(both[1]))
    except CiphertextError:
        return None
    pairs = {
        other: pair_seed(private, one.keys[other].mask, one.scheme, victim, other)
        for other in one.scheme.neighbours[victim]
    }
    sent = np.frombuffer(one.masked[victim][81 - DIGEST : -DIGEST], "<u4")
    add = [seed for other, seed in pairs.items() if other < victim]
    take = [own, *(seed for other, seed in pairs.items() if other > victim)]
    return masked(sent, one.scheme.plan, add=add, take=take).view(np.int32)


def test_two_of_four_that_collude_with_the_server_do_not_read_a_third():
    one = Sum(scheme_of(4))
    for victim in range(4):
        for colluders in itertools.combinations(set(one.scheme.neighbours[victim]), 2):
            assert read_by(one, colluders, victim) is None
    # With as many as the threshold the same steps do read it.
    assert np.array_equal(read_by(one, (1, 2, 3), 0), one.inputs[0])


@pytest.mark.parametrize("dropped", [0.0, 0.2])
@pytest.mark.parametrize("num_parties", [3, 4, 5, 9, 10, 33, 63])
def test_below_64_parties_everybody_masks_with_everybody(num_parties, dropped):
    plan = plan_masking(num_parties, bits=10, dropped=dropped, corrupt=0.2)
    assert plan.num_neighbours == num_parties - 1
    assert plan.most_corrupt == -(-num_parties // 5)
    assert plan.most_corrupt < plan.threshold == num_parties - 1 - plan.most_dropped


def test_the_corrupt_share_is_rounded_up_and_at_least_one():
    corrupt = [
        plan_masking(100, bits=10, dropped=0, corrupt=share).most_corrupt for share in (0, 0.07, 0.075)
    ]
    assert corrupt == [1, 7, 8]


@pytest.mark.parametrize(("bits", "modulus_bits"), [(27, 32), (28, 64), (40, 64)])
def test_the_modulus_follows_the_largest_sum(bits, modulus_bits):
    scheme = scheme_of(10, bits=bits)
    assert scheme.plan.modulus_bits == modulus_bits
    one = Sum(scheme, lost=(3,), largest=0)
    assert one.adder.unmask(one.reveals()).tolist() == [0] * SIZE
    extreme = Sum(scheme, largest=2**bits)
    assert np.array_equal(extreme.adder.unmask(extreme.reveals()), extreme.expected)


def test_the_largest_sum_of_most_parties_is_exact():
    scheme = scheme_of(15, bits=27)
    assert 2 * scheme.plan.largest_sum < 2**32 <= 2 * (scheme.plan.largest_sum + 2**27)
    for sign in (1, -1):
        parties = {index: Party(scheme, index) for index in range(15)}
        keys = {index: party.advertise() for index, party in parties.items()}
        shares = {index: party.share(keys) for index, party in parties.items()}
        adder = MaskedSum(scheme, keys, frozenset(parties))
        for index, party in parties.items():
            received = {other: shares[other][index] for other in scheme.neighbours[index]}
            adder.add(index, mask(np.full(3, sign * 2**27), party.agree(received, parties)))
        revealed = {index: party.reveal(adder.came_through, ()) for index, party in parties.items()}
        assert adder.unmask(revealed).tolist() == [sign * 15 * 2**27] * 3


@pytest.mark.parametrize(("bits", "word"), [(20, "<u4"), (40, "<u8")])
@pytest.mark.parametrize("size", [1, 2**14, 2**14 + 1, 2**15 + 3])
def test_masks_are_the_streams_of_their_seeds_in_however_many_blocks(bits, word, size):
    plan = plan_masking(3, bits=bits, dropped=0, corrupt=0)
    first, second = bytes(32), bytes([1]) * 32
    streams = [keystream(seed)(size).view(word)[:size] for seed in (first, second)]
    plain = np.arange(size)
    total = masked(plain, plan, add=[first], take=[second])
    assert np.array_equal(total, plain.astype(word) + streams[0] - streams[1])
    assert np.array_equal(masked(total, plan, add=[second], take=[first]), plain)


def test_a_masked_value_looks_like_noise():
    one = Sum(scheme_of(10))
    body = np.concatenate([np.frombuffer(data[81 - DIGEST : -DIGEST], "<u4") for data in one.masked.values()])
    assert body.size == 10 * SIZE
    assert abs(body.astype(float).mean() / 2**32 - 0.5) < 0.1
    # Two of 400 words are equal in one run of 50,000, and two pairs of them in one of 10^9.
    assert len(np.unique(body)) >= body.size - 1


def test_too_few_shares_do_not_open_the_sum():
    one = Sum(scheme_of(10), lost=(4,))
    revealed = one.reveals()
    few = dict(list(revealed.items())[: one.scheme.plan.threshold - 1])
    with pytest.raises(DecryptionError, match=r"shares of party \d+ were revealed; \d+ are needed"):
        one.adder.unmask(few)
    assert np.array_equal(one.adder.unmask(revealed), one.expected)


def test_the_bytes_of_keys_and_shares_are_planned():
    one = Sum(scheme_of(10))
    sent = sum(map(len, one.keys[3])) + sum(map(len, one.shares[3].values())) + len(one.reveals()[3])
    assert sent == key_bytes(one.scheme.plan)


def test_a_party_never_reveals_both_kinds_of_a_share():
    one = Sum(scheme_of(10), lost=(4,))
    through, lost = one.adder.came_through, one.adder.lost
    with pytest.raises(DecryptionError, match="and not both"):
        one.parties[0].reveal(through, [*lost, 1])
    one.parties[0].reveal(through, lost)
    with pytest.raises(DecryptionError, match="once for a sum"):
        one.parties[0].reveal(through - {1}, lost | {1})


def test_a_party_opens_no_sum_of_few():
    one = Sum(scheme_of(10))
    with pytest.raises(DecryptionError, match="at least 8 in a sum"):
        one.parties[0].reveal({0, 1}, set(range(2, 10)))


def test_a_party_counts_only_parties_that_shared_and_itself():
    one = Sum(scheme_of(10), silent=(9,))
    party, everybody = one.parties[0], set(range(9))
    for through, lost, said in (
        ({0, 1, *range(100, 118)}, (), r"counts parties \[100, 101, .*\], which did not share"),
        (everybody | {9}, (), r"counts parties \[9\], which did not share"),
        (everybody - {8}, {8, -1}, r"counts parties \[-1\], which did not share"),
        (everybody - {0}, (), "party 0 is asked to open a sum in which it neither"),
    ):
        with pytest.raises(DecryptionError, match=said):
            party.reveal(through, lost)
    # A refusal reveals nothing and uses nothing up.
    party.reveal(everybody, ())


@pytest.mark.parametrize("named", [range(9), range(1, 10), range(11), [*range(10), -1]], ids=str)
def test_a_party_masks_only_with_those_that_it_sees_to_share(named):
    one = Sum(scheme_of(10))
    fresh = Party(one.scheme, 0)
    fresh._channel = one.parties[0]._channel
    fresh.share(one.keys)
    with pytest.raises(DecryptionError, match=r"party 0 of 10 and .* shared their seeds; the server names"):
        fresh.agree(one.received[0], named)
    fresh.agree(one.received[0], range(10))


def test_a_party_masks_once():
    one = Sum(scheme_of(10))
    with pytest.raises(DecryptionError, match="once for a sum"):
        one.parties[0].agree(one.received[0], range(10))


def test_too_few_neighbours_are_refused():
    scheme = scheme_of(10)
    parties = {index: Party(scheme, index) for index in range(10)}
    keys = {index: party.advertise() for index, party in parties.items()}
    with pytest.raises(DecryptionError, match="its shares need"):
        parties[0].share({index: keys[index] for index in range(1, scheme.plan.threshold)})
    shares = {index: party.share(keys) for index, party in parties.items()}
    with pytest.raises(DecryptionError, match="masks with at least"):
        parties[0].agree({1: shares[1][0]}, range(10))


@pytest.mark.parametrize(
    "bad", [np.array([2**20 + 1]), np.array([-(2**20) - 1]), np.zeros(3), np.zeros(0, np.int64)]
)
def test_values_beyond_the_plan_are_refused(bad):
    seeds = MaskSeeds(scheme_of(10).plan, bytes(32), add=(bytes(32),), take=())
    with pytest.raises(ConfigError):
        mask(bad, seeds)


def test_meddled_messages_are_refused_with_a_reason():
    one = Sum(scheme_of(10))
    adder = MaskedSum(one.scheme, one.keys, frozenset(range(10)))
    head = one.masked[0][: 81 - DIGEST]
    for bad in (*meddled(one.masked[0]), one.masked[1], redigested(head + bytes(8)), redigested(head)):
        with pytest.raises(CiphertextError):
            adder.add(0, bad)
    assert not adder.came_through
    revealed = one.reveals()
    own = revealed[2]
    stranger = redigested(own[: 81 - DIGEST] + (2).to_bytes(4, "little") + own[81 - DIGEST + 4 : -DIGEST])
    large = redigested(own[: 81 - DIGEST] + own[81 - DIGEST : 81 - DIGEST + 5] + b"\xff" * 40)
    for bad in (
        own[:-1],
        flipped(own, 100),
        revealed[3],
        one.masked[2],
        stranger,
        large,
        redigested(own[:60]),
    ):
        with pytest.raises(CiphertextError):
            one.adder.unmask(revealed | {2: bad})
    with pytest.raises(CiphertextError, match="not expected"):
        one.adder.add(0, one.masked[0])


def test_meddled_shares_are_refused():
    one = Sum(scheme_of(10))
    shares = one.received[0]
    for bad in (shares[1][:-1], flipped(shares[1], 3), shares[2], b"", one.shares[1][2]):
        fresh = Party(one.scheme, 0)
        fresh._channel = one.parties[0]._channel
        fresh.share(one.keys)
        with pytest.raises(CiphertextError, match="shares of party 1"):
            fresh.agree(shares | {1: bad}, range(10))


@pytest.mark.parametrize(
    ("num_parties", "owner", "kind", "said"),
    [
        (20, 3, 0, "that of party 2 does not fit the others"),
        (20, 4, 1, "that of party 2 does not fit the others"),
        # One share more than needed, by which nobody can tell whose is wrong.
        (12, 3, 0, "they do not fit each other"),
    ],
)
def test_a_share_that_does_not_fit_the_surplus_is_found(num_parties, owner, kind, said):
    one = Sum(scheme_of(num_parties), lost=(4,))
    kept = one.parties[2]._received
    shares = [share.copy() for share in kept[owner]]
    shares[kind][1] ^= np.uint64(1)
    kept[owner] = tuple(shares)
    with pytest.raises(DecryptionError, match=f"shares of party {owner} were revealed, and {said}"):
        one.adder.unmask(one.reveals())


def test_a_lost_party_that_shared_another_key_than_it_advertised_is_named():
    one = Sum(scheme_of(10), lost=(4,))
    one.adder._keys[4] = one.keys[5]
    with pytest.raises(DecryptionError, match="party 4 give another key than the one that it advertised"):
        one.adder.unmask(one.reveals())


def test_a_public_key_that_is_none_is_refused():
    scheme = scheme_of(10)
    parties = {index: Party(scheme, index) for index in range(10)}
    keys = {index: party.advertise() for index, party in parties.items()}
    for bad in (bytes(32), bytes(31)):
        with pytest.raises(CiphertextError, match="a public key is not valid"):
            parties[0].share(keys | {1: keys[1]._replace(channel=bad)})


def test_many_parties_have_few_neighbours_each_way():
    sizes = {
        count: plan_masking(count, bits=10, dropped=0.1, corrupt=0.1) for count in (10, 100, 1000, 10_000)
    }
    assert sizes[10].num_neighbours == 9
    assert sizes[1000].num_neighbours < 100
    assert sizes[10_000].num_neighbours < 2 * sizes[1000].num_neighbours
    for count, plan in list(sizes.items())[:3]:
        joined = neighbours(plan, b"circle")
        assert {len(others) for others in joined} == {plan.num_neighbours}
        assert all(index in joined[other] for index, others in enumerate(joined) for other in others)
        assert all(index not in others for index, others in enumerate(joined))
        if count == 1000:
            assert joined != neighbours(plan, b"another circle")


@pytest.mark.parametrize(
    ("num_parties", "planned", "key"),
    [
        (2, {}, "num_parties"),
        (10, {"dropped": 0.5, "corrupt": 0.5}, "dropped"),
        (10, {"dropped": -0.1}, "dropped"),
        (10, {"bits": 60}, "bits"),
        (10, {"bits": 0}, "bits"),
    ],
)
def test_what_cannot_be_planned_is_refused(num_parties, planned, key):
    with pytest.raises(ConfigError) as error:
        plan_masking(num_parties, **{"bits": 20, **planned})
    assert error.value.key == key


def test_limbs_hold_every_seed_and_nothing_else():
    for seed in (bytes(32), b"\xff" * 32, bytes(range(32))):
        assert seed_of(limbs(seed)) == seed
    with pytest.raises(CiphertextError, match="do not belong together"):
        seed_of(np.array([1 << 56, 0, 0, 0, 0], np.uint64))


def test_who_adds_has_no_path_to_a_secret_and_parties_do_not_show_theirs():
    one = Sum(scheme_of(10))
    led_to = reached(one.adder)
    assert not [item for item in led_to if isinstance(item, Party | X25519PrivateKey)]
    seeds = [party._seed for party in one.parties.values()]
    assert not [item for item in led_to if isinstance(item, bytes) and any(seed in item for seed in seeds)]
    assert any(item is seeds[0] for item in reached(one.parties[0]))
    assert repr(seeds[0]) not in repr(one.parties[0])
    assert repr(one.parties[0]).startswith("<fedcli.crypto.masking.masking.Party object at")
