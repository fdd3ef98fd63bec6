"""Encryption with one key: exact at the limits of each plan, refused beyond them, and unreadable for the server."""

import functools
import pickle
import struct
import tempfile
from dataclasses import replace

import numpy as np
import pytest
from protected import DIGEST, flipped, meddled, reached, redigested, values

from fedcli.core.errors import ConfigError
from fedcli.crypto.bfv import seal, streams
from fedcli.crypto.bfv.ciphertexts import Adder, Scheme
from fedcli.crypto.bfv.committee import Dealing, MemberKey
from fedcli.crypto.bfv.errors import CiphertextError, DecryptionError
from fedcli.crypto.bfv.plans import plan_shared_key
from fedcli.crypto.bfv.shared_key import SharedKey, decrypt, encrypt, generate_key
from fedcli.crypto.bfv.threshold import Member
from fedcli.crypto.bfv.wire import ENVELOPE_BYTES

PLAN = plan_shared_key(10, bits=20)


@pytest.fixture(scope="module")
def key():
    return generate_key(PLAN)


@pytest.fixture(scope="module")
def sample(key):
    return encrypt(np.arange(100), key)


def added(key, ciphertexts):
    adder = Adder(key.scheme)
    for data in ciphertexts:
        adder.add(data)
    return adder.total()


@pytest.mark.parametrize("size", [1, 8191, 8192, 8193, 20_000])
def test_the_sum_is_exact(key, size):
    rng = np.random.default_rng(size)
    parties = [values(rng, size, 2**20) for _ in range(3)]
    total = decrypt(added(key, [encrypt(party, key) for party in parties]), key)
    assert total.dtype == np.int64
    assert np.array_equal(total, sum(parties))


@pytest.mark.parametrize("num_summands", [1, 10, 100, pytest.param(1000, marks=pytest.mark.slow)])
def test_the_tightest_plan_is_exact_with_most_summands_at_the_largest_values(num_summands):
    plans = [plan_shared_key(num_summands, bits=bits) for bits in range(1, 53 - num_summands.bit_length())]
    for plan in [min(plans, key=lambda plan: plan.failure_bits), plans[-1]]:
        key = generate_key(plan)
        extremes = np.resize(np.array([1, -1, -1, 1, 0]) * plan.largest_value, plan.degree * plan.fields)
        total = decrypt(added(key, [encrypt(extremes, key) for _ in range(num_summands)]), key)
        assert np.array_equal(total, num_summands * extremes)
        assert abs(total).max() == plan.largest_sum


def test_a_wider_plain_modulus_than_planned_decrypts_wrongly():
    # What the plan guards against: the same ring with too little room for the noise of 100 summands.
    wide = replace(plan_shared_key(100, bits=16), plain_bits=58)
    key = generate_key(wide)
    party = np.full(wide.degree, 2**16)
    try:
        total = decrypt(added(key, [encrypt(party, key) for _ in range(100)]), key)
    except DecryptionError:
        return
    assert not np.array_equal(total, 100 * party)


def test_one_summand_more_than_planned_is_refused(key, sample):
    adder = Adder(key.scheme)
    for _ in range(10):
        adder.add(sample)
    with pytest.raises(CiphertextError, match="supports 10 summands; one more"):
        adder.add(sample)
    assert adder.num_summands == 10
    assert decrypt(adder.total(), key).tolist() == (10 * np.arange(100)).tolist()


@pytest.mark.parametrize("value", [2**20 + 1, -(2**20) - 1])
def test_a_value_beyond_the_plan_is_refused(key, value):
    with pytest.raises(ConfigError, match="beyond 1048576"):
        encrypt(np.array([0, value]), key)


def test_the_same_values_never_make_the_same_bytes(key, sample):
    again = encrypt(np.arange(100), key)
    assert again != sample
    assert len(again) == len(sample) == ENVELOPE_BYTES + 8 * 4096 + 64


def test_meddled_ciphertexts_are_refused_with_a_reason_and_change_nothing(key, sample):
    adder = Adder(key.scheme)
    adder.add(sample)
    before = adder.total()
    count = 0
    for bad in meddled(sample):
        with pytest.raises(CiphertextError, match="message"):
            adder.add(bad)
        count += 1
    assert count > 90
    assert adder.total() == before


def test_dishonest_bytes_with_a_fitting_digest_are_refused(key, sample):
    inner = bytearray(sample[:-DIGEST])
    at = ENVELOPE_BYTES - DIGEST

    def sent(change):
        copy = bytearray(inner)
        change(copy)
        return redigested(copy)

    too_large = sent(lambda copy: copy.__setitem__(slice(at, at + 8), b"\xff" * 8))
    at_the_prime = sent(lambda copy: struct.pack_into("<Q", copy, at, PLAN.ring.primes[0]))
    longer = sent(lambda copy: copy.extend(bytes(8)))
    shorter = sent(lambda copy: copy.__delitem__(slice(-64, None)))
    emptied = sent(lambda copy: copy.__delitem__(slice(at, None)))
    many = sent(lambda copy: struct.pack_into("<Q", copy, 37, 2**63))
    none = sent(lambda copy: struct.pack_into("<Q", copy, 37, 0))
    kind = sent(lambda copy: copy.__setitem__(4, 200))
    adder = Adder(key.scheme)
    for bad in (too_large, at_the_prime, longer, shorter, emptied, many, none, kind):
        with pytest.raises(CiphertextError):
            adder.add(bad)
    with pytest.raises(CiphertextError, match="no sum"):
        adder.total()


def test_any_residues_under_any_seed_are_a_ciphertext_and_crash_nothing(key, sample):
    inner = bytearray(sample[:-DIGEST])
    adder = Adder(key.scheme)
    for fill in (b"\0", b"\x07"):
        at = ENVELOPE_BYTES - DIGEST
        adder.add(redigested(bytes(inner[:at]) + fill * (len(inner) - at)))
    with pytest.raises(DecryptionError, match="larger than"):
        decrypt(adder.total(), key)


def test_a_sum_that_is_readable_without_a_key_crashes_nothing(key, sample):
    total = added(key, [sample, sample])
    at = ENVELOPE_BYTES - DIGEST
    with pytest.raises(DecryptionError, match="larger than"):
        decrypt(redigested(total[: at + 8 * 4096] + bytes(8 * 4096)), key)
    assert decrypt(redigested(total[:at] + bytes(16 * 4096)), key).tolist() == [0] * 100


def test_foreign_ciphertexts_are_refused(key, sample):
    other_key, other_plan = generate_key(PLAN), generate_key(plan_shared_key(11, bits=20))
    for foreign in (encrypt(np.arange(100), other_key), encrypt(np.arange(100), other_plan)):
        with pytest.raises(CiphertextError, match="another scheme, key"):
            Adder(key.scheme).add(foreign)
    with pytest.raises(CiphertextError, match="another scheme, key"):
        decrypt(added(key, [sample]), other_key)


def test_another_length_is_refused(key, sample):
    adder = Adder(key.scheme)
    adder.add(sample)
    with pytest.raises(CiphertextError, match="101 encrypted values were received, 100 are expected"):
        adder.add(encrypt(np.arange(101), key))


def test_a_meddled_sum_is_refused(key, sample):
    total = added(key, [sample, sample])
    for bad in (total[:-1], flipped(total, 60), flipped(total, 4), sample):
        with pytest.raises(CiphertextError):
            decrypt(bad, key)


def test_no_values_are_refused(key):
    with pytest.raises(CiphertextError, match="no value"):
        encrypt(np.zeros(0, np.int64), key)


def test_where_there_are_no_files_in_memory_temporary_ones_serve_and_are_gone(key, monkeypatch, tmp_path):
    monkeypatch.setattr(streams, "scratch", functools.partial(streams.scratch, in_memory=False))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sent = encrypt(np.arange(5), key)
    assert decrypt(added(key, [sent, sent]), key).tolist() == [0, 2, 4, 6, 8]
    assert not list(tmp_path.iterdir())


def test_the_key_never_shows(key):
    shown = repr(key) + str(key) + f"{key.scheme}"
    assert "words=" not in shown
    assert not any(str(word) in shown for word in key.words.ravel()[:50].tolist())


def test_a_key_travels_to_another_process(key, sample):
    copy = pickle.loads(pickle.dumps(key))
    assert decrypt(added(copy, [sample]), copy).tolist() == list(range(100))


def test_who_adds_has_no_path_to_a_secret(key, sample):
    adder = Adder(Scheme(key.scheme.plan, key.scheme.key_name))
    adder.add(sample)
    adder.total()
    library = seal.library()
    secret = (
        SharedKey, MemberKey, Dealing, Member,
        library.SecretKey, library.KeyGenerator, library.Decryptor, library.Encryptor, library.Plaintext,
    )  # fmt: skip
    led_to = reached(adder)
    assert any(isinstance(one, library.Ciphertext) for one in led_to)
    assert not [one for one in led_to if isinstance(one, secret)]
    key_bytes = key.words.tobytes()
    assert not [one for one in led_to if isinstance(one, bytes | bytearray) and key_bytes[:64] in one]
    assert not [one for one in led_to if isinstance(one, np.ndarray) and np.array_equal(one, key.words)]
    # The walk does find what is there.
    assert any(one is key.words for one in reached([adder, key]))
