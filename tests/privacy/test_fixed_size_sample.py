"""The divergences of a Gaussian release on a sample of fixed size are those of dp-accounting, without its loops."""

import dp_accounting as dp
import numpy as np
import pytest
from dp_accounting.rdp import RdpAccountant

from fedcli.privacy.fixed_size_sample import fixed_size_sample

# Between whole orders, at them, and on both sides of the order from which the looser bound is taken.
ORDERS = (1.1, 1.5, 2.0, 3.7, 4.0, 12.0, 25.5, 60.0, 300.0)


@pytest.mark.parametrize("population", [2, 100_000])
@pytest.mark.parametrize("multiplier", [0.001, 1.0, 1e5])
def test_they_are_the_library_s(multiplier, population):
    accountant = RdpAccountant(ORDERS, dp.NeighboringRelation.REPLACE_ONE)
    accountant.compose(dp.SampledWithoutReplacementDpEvent(population, 1, dp.GaussianDpEvent(multiplier)))
    found = fixed_size_sample(multiplier, 1 / population, ORDERS)
    np.testing.assert_allclose(found, accountant.rdp, rtol=1e-9, atol=1e-15)


def test_everybody_is_no_sample():
    assert fixed_size_sample(2.0, 1.0, (2.0, 8.0)) == pytest.approx([0.25, 1.0])
