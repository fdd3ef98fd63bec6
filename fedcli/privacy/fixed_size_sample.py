"""Renyi divergences of a Gaussian release on a sample of fixed size."""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LARGEST_EXACT = 256
"""Up to this order the bound is computed from differences, which are tighter and take the square of the order."""


# Every round asks for another number of releases of the same mechanism.
@functools.lru_cache(maxsize=64)
def fixed_size_sample(noise_multiplier: float, rate: float, orders: tuple[float, ...]) -> Floats:
    """Renyi divergences at `orders` under replace-one.

    They are those of dp-accounting, which finds the terms of each order anew in loops of Python. Most of a term is the
    same for all orders, so that it is computed once here.

    Args:
        noise_multiplier: deviation of the noise over the distance between two neighbouring sums, above 0.
        rate: sample size over population, in (0, 1].
        orders: above 1.

    Reference: Wang et al. 2019, arXiv:1808.00087, Theorem 27; Corollary 10 between whole orders.
    """
    if rate == 1:
        return np.asarray(orders) / (2 * noise_multiplier**2)
    lower = [math.floor(order) for order in orders]
    whole = sorted({*lower, *(math.ceil(order) for order in orders)})
    exact, loose = _terms(noise_multiplier, rate, whole[-1])
    moments = {order: log_moment(exact if order <= _LARGEST_EXACT else loose, order) for order in whole}
    # Of order 1 the moment is 1.
    moments[1] = 0.0
    return np.array(
        [
            ((1 - order + below) * moments[below] + (order - below) * moments[math.ceil(order)]) / (order - 1)
            for order, below in zip(orders, lower, strict=True)
        ]
    )


def _terms(noise_multiplier: float, rate: float, largest: int) -> tuple[Floats, Floats]:
    """Logarithms of the terms 2, 3, ... of a moment, without binomials: the tighter ones, and those of any order."""
    j = np.arange(2, largest + 1, dtype=np.float64)
    moments = (j - 1) * j / (2 * noise_multiplier**2)
    loose = math.log(2) + moments
    second = noise_multiplier**-2
    # log(e^x - 1), in a form that does not overflow.
    loose[0] = min(math.log(4) + second + math.log(-math.expm1(-second)), second + math.log(2))
    # At 2 k - 1 is the logarithm of the difference of order 2 k. Of an odd order, both even neighbours count.
    differences = _log_differences(noise_multiplier)
    whole = np.arange(3, _LARGEST_EXACT + 1)
    pairs = math.log(4) + (differences[2 * (whole // 2) - 1] + differences[2 * ((whole + 1) // 2) - 1]) / 2
    exact = loose[: _LARGEST_EXACT - 1].copy()
    exact[1:] = np.minimum(pairs[: exact.size - 1], exact[1:])
    log_rates = j * math.log(rate)
    return exact + log_rates[: exact.size], loose + log_rates


# Samples of two sizes, such as for a client that takes part itself, have the same differences.
@functools.lru_cache(maxsize=64)
def _log_differences(noise_multiplier: float) -> Floats:
    """Logarithms of the forward differences at 0, of order 1 and above, of the moments e^(x (x - 1) / (2 z^2))."""
    # The library's own, because most of their digits cancel where noise is wide, and others would remain elsewhere.
    from dp_accounting.rdp.rdp_privacy_accountant import _get_forward_diffs

    logs: Floats
    logs, _ = _get_forward_diffs(lambda x: x * (x + 1) / (2.0 * noise_multiplier**2), _LARGEST_EXACT)
    return logs


def log_moment(log_terms: Floats, order: float) -> float:
    """The logarithm of 1 and the sum of the terms 2 to `order`, each times its binomial coefficient.

    Args:
        log_terms: logarithms of the terms, from the second.
        order: a whole number of at least 2.
    """
    j = np.arange(2, int(order) + 1, dtype=np.float64)
    # Here, as in composed_loss.py, so that a plan without noise does not wait for SciPy.
    from scipy.special import gammaln, logsumexp

    binomials = gammaln(order + 1) - gammaln(j + 1) - gammaln(order - j + 1)
    return float(logsumexp([0.0, *(binomials + log_terms[: j.size])]))
