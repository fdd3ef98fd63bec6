"""What noise that is not used costs: nothing without it, little where it is rare, everything where it is not."""

import math

from fedcli.privacy.excess import charged


def at(delta):
    return math.log(1 / delta)


def test_without_it_epsilon_is_as_it_was():
    assert charged(at, 1e-5, 0.0) == at(1e-5)


def test_the_claim_pays_for_it():
    for probability in (2.0**-60, 1e-13):
        claim = charged(at, 1e-5, probability)
        assert claim >= at(1e-5 - (1 + math.exp(claim)) * probability)
        assert at(1e-5) < claim < at(1e-5) * 1.01


def test_what_delta_cannot_pay_for_has_no_epsilon():
    assert charged(at, 1e-5, 1e-5) == math.inf
    assert charged(lambda _: math.inf, 1e-5, 2.0**-60) == math.inf
