"""Encryption plans: they are correct at their limits, state their failure bound, and refuse sums that do not fit."""

import math
import sys

import pytest

from fedcli.core.errors import ConfigError
from fedcli.crypto.bfv import seal
from fedcli.crypto.bfv.plans import (
    ATTEMPTS,
    FAILURE_BITS,
    MOST_VALUES,
    STATISTICAL_BITS,
    gaussian_tail,
    plan_shared_key,
    plan_threshold,
)


def test_ten_summands_of_twenty_bits_cost_four_bytes():
    plan = plan_shared_key(10, bits=20)
    assert (plan.degree, plan.prime_bits, plan.fields, plan.bytes_per_value) == (4096, (60,), 2, 4.0)
    assert (plan.largest_value, plan.largest_sum, plan.radix) == (2**20, 10 * 2**20, 20 * 2**20 + 1)


@pytest.mark.parametrize("num_summands", [10, 100])
def test_a_committee_costs_twenty_four_bytes(num_summands):
    plan = plan_threshold(num_summands, members=20, threshold=14, bits=20, num_sums=100)
    assert (plan.degree, plan.prime_bits) == (8192, (60, 60, 60, 38))
    assert (plan.fields, plan.bytes_per_value) == (2, 24.0)
    assert plan.ring.data_primes == plan.ring.primes[:3]


def test_a_thousand_summands_of_twenty_bits_leave_one_field_in_a_slot():
    # Two fields of 31 bits are beyond SEAL's limit of 60 bits for the plain modulus.
    plan = plan_threshold(1000, members=10, threshold=7, bits=20)
    assert plan.radix**2 > 2**seal.MOST_PLAIN_BITS > plan.radix
    assert (plan.fields, plan.bytes_per_value) == (1, 48.0)


@pytest.mark.parametrize("num_summands", [1, 2, 10, 100, 1000, 100_000])
@pytest.mark.parametrize("bits", [1, 8, 16, 20, 24])
@pytest.mark.parametrize("members", [0, 30])
def test_whatever_is_planned_holds(num_summands, bits, members):
    plan = (
        plan_threshold(num_summands, members=members, threshold=20, bits=bits, noise_tail=77, num_sums=1000)
        if members
        else plan_shared_key(num_summands, bits=bits, noise_tail=77)
    )
    ring = plan.ring
    assert plan.radix == 2 * (num_summands * 2**bits + 77) + 1
    assert plan.radix**plan.fields < ring.plain_modulus
    assert ring.plain_modulus % (2 * plan.degree) == 1
    assert plan.failure_bits >= FAILURE_BITS
    assert sum(plan.prime_bits) <= seal.library().CoeffModulus.MaxBitCount(
        plan.degree, seal.library().SEC_LEVEL_TYPE.TC128
    )
    if members:
        answered = 1000 * ATTEMPTS * (MOST_VALUES + plan.degree)
        assert answered * 2 ** (plan.noise_bits - plan.smudging_bits - 1) <= 2.0**-STATISTICAL_BITS
        assert plan.distance_bits >= STATISTICAL_BITS
        assert 20 * 2**plan.smudging_bits < math.prod(ring.data_primes) / (2 * ring.plain_modulus)


@pytest.mark.parametrize("members", [0, 10])
def test_a_plan_holds_whatever_the_coins_are(members):
    plan = (
        plan_threshold(10, members=10, threshold=7, bits=20, num_sums=1000)
        if members
        else plan_shared_key(10, bits=20)
    )
    assert plan.failure_bits == math.inf
    # Every value of the noise at its largest, and of the smudging too.
    largest = 10 * (21 if not members else (1 + 10 * 8192) / 2) + (21 * 10 * 8192 if members else 0)
    assert plan.noise_bits >= math.log2(largest)
    room = math.prod(plan.ring.data_primes) / (2 * plan.ring.plain_modulus)
    assert 2**plan.noise_bits + plan.threshold * 2**plan.smudging_bits * bool(members) < room


def test_more_sums_leave_less_distance():
    one, many = (plan_threshold(10, members=10, threshold=7, bits=20, num_sums=n) for n in (1, 1024))
    assert one.distance_bits - many.distance_bits == pytest.approx(10)
    with pytest.raises(ConfigError, match="at least one sum"):
        plan_threshold(10, members=10, threshold=7, bits=20, num_sums=0)


def test_where_the_largest_noise_does_not_fit_its_probability_is_stated():
    assert [math.floor(plan_shared_key(100, bits=bits).failure_bits) for bits in (16, 17)] == [2741, 145]


def test_there_is_a_largest_number_of_bits():
    held = [bits for bits in range(1, 53) if not refused(lambda bits=bits: plan_shared_key(1000, bits=bits))]
    assert held == list(range(1, held[-1] + 1))
    assert held[-1] < 52


def test_a_refusal_says_why_and_what_to_do():
    with pytest.raises(ConfigError) as error:
        plan_threshold(1000, members=20, threshold=14, bits=52)
    assert "no parameters hold 1000 summands of 52 bits: a sum takes 63 bits" in error.value.message
    assert "fewer bits, fewer summands" in error.value.hint
    assert error.value.key == "bits"


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"members": 1, "threshold": 1}, "members"),
        ({"members": 31, "threshold": 20}, "members"),
        ({"members": 10, "threshold": 1}, "threshold"),
        ({"members": 10, "threshold": 11}, "threshold"),
    ],
)
def test_a_committee_that_cannot_be_is_refused(arguments, key):
    with pytest.raises(ConfigError) as error:
        plan_threshold(10, bits=20, **arguments)
    assert error.value.key == key


@pytest.mark.parametrize("arguments", [(0, 20, 0), (2**20 + 1, 4, 0), (10, 0, 0), (10, 53, 0), (10, 20, -1)])
def test_numbers_out_of_range_are_refused(arguments):
    num_summands, bits, noise_tail = arguments
    with pytest.raises(ConfigError):
        plan_shared_key(num_summands, bits=bits, noise_tail=noise_tail)


def test_seal_refuses_what_has_less_than_128_bits_of_security():
    with pytest.raises(ConfigError, match="not compliant with HomomorphicEncryption"):
        seal.ring(4096, (60, 60), 40)


def test_a_noise_tail_is_exceeded_less_than_once_in_a_trillion():
    tail = gaussian_tail(100.0, 10**6)
    assert 10**6 * math.erfc(tail / 100 / math.sqrt(2)) <= 2.0**-40
    # Not wasteful either: a tenth lower is not enough.
    assert 10**6 * math.erfc(0.9 * tail / 100 / math.sqrt(2)) > 2.0**-40
    assert gaussian_tail(0.0, 10) == 0


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "_sealapi_cpp", None)
    with pytest.raises(ConfigError) as error:
        seal.library()
    assert "needs the package tenseal" in error.value.message
    assert 'pip install "fedcli[encryption]"' in error.value.hint


def test_the_package_that_crashes_beside_tensorflow_is_never_imported():
    assert "_sealapi_cpp" in sys.modules
    assert "tenseal" not in sys.modules


def refused(make):
    try:
        make()
    except ConfigError:
        return True
    return False
