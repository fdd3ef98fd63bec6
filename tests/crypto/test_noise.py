"""Gaussian noise from a ChaCha20 keystream: its law, its keys, and known values."""

import hashlib
import math
import struct

import numpy as np
import pytest
from scipy import stats

from fedcli.crypto.noise import KEY_BYTES, gaussian

# Keystream of the key and nonce of zeros: RFC 7539, appendix A.1, test vector 1.
RFC_KEYSTREAM = bytes.fromhex(
    "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
    "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
)
SIZE = 200_000


@pytest.fixture(scope="module")
def samples():
    return gaussian(SIZE, key=bytes(range(KEY_BYTES)))


def test_the_samples_are_box_muller_of_the_rfc_keystream():
    uniform = [word >> 11 for word in struct.unpack("<8Q", RFC_KEYSTREAM)]
    radius = [math.sqrt(-2 * math.log((u + 1) / 2**53)) for u in uniform[:4]]
    angle = [2 * math.pi * u / 2**53 for u in uniform[4:]]
    pairs = list(zip(radius, angle, strict=True))
    expected = [r * math.cos(a) for r, a in pairs] + [r * math.sin(a) for r, a in pairs]
    assert gaussian(8, key=bytes(32)).tolist() == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_a_fixed_key_keeps_its_values():
    key = hashlib.sha256(b"golden").digest()
    expected = [
        -1.343616117478516,
        -0.7196163818190249,
        0.10907002955091474,
        -1.3414628779682798,
        0.4259087276616311,
    ]
    # Not to the last bit: NumPy's logarithm and cosine differ by one between processors.
    assert gaussian(5, key=key).tolist() == pytest.approx(expected, rel=1e-12)


def test_mean_variance_skew_and_kurtosis_are_those_of_the_normal_law(samples):
    assert abs(samples.mean()) < 4 / math.sqrt(SIZE)
    assert abs(samples.var() - 1) < 4 * math.sqrt(2 / SIZE)
    assert abs(stats.skew(samples)) < 4 * math.sqrt(6 / SIZE)
    assert abs(stats.kurtosis(samples)) < 4 * math.sqrt(24 / SIZE)


def test_the_samples_follow_the_normal_law(samples):
    assert stats.kstest(samples, "norm").pvalue > 1e-3


def test_equal_cells_of_the_normal_law_hold_equal_counts(samples):
    edges = stats.norm.ppf(np.linspace(0, 1, 65))
    counts = np.histogram(samples, edges)[0]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_tails_are_there(samples):
    beyond = int((np.abs(samples) > 3).sum())
    low, high = stats.binom.ppf([1e-4, 1 - 1e-4], SIZE, 2 * stats.norm.sf(3))
    assert low <= beyond <= high


def test_the_two_halves_of_the_pairs_are_independent(samples):
    cosines, sines = samples[: SIZE // 2], samples[SIZE // 2 :]
    for left, right in [(cosines, sines), (cosines**2, sines**2), (samples[:-1], samples[1:])]:
        assert abs(np.corrcoef(left, right)[0, 1]) < 5 / math.sqrt(len(left))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 1001])
def test_any_size_is_served_with_finite_float64(size):
    drawn = gaussian(size, key=bytes(32))
    assert (drawn.shape, drawn.dtype) == ((size,), np.float64)
    assert np.isfinite(drawn).all()


def test_an_odd_size_is_the_even_one_without_its_last_value():
    assert gaussian(7, key=bytes(32)).tobytes() == gaussian(8, key=bytes(32))[:7].tobytes()


def test_the_same_key_gives_the_same_bits():
    assert gaussian(9, key=b"k" * 32).tobytes() == gaussian(9, key=b"k" * 32).tobytes()


@pytest.mark.parametrize("bit", [0, 7, 128, 255])
def test_one_bit_of_the_key_changes_everything(bit, samples):
    key = bytearray(range(KEY_BYTES))
    key[bit // 8] ^= 1 << bit % 8
    other = gaussian(SIZE, key=bytes(key))
    assert not (other == samples).any()
    assert abs(np.corrcoef(samples, other)[0, 1]) < 5 / math.sqrt(SIZE)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(length):
    with pytest.raises(ValueError, match="key"):
        gaussian(1, key=bytes(length))
