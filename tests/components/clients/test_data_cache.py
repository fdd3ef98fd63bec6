"""Clients' data stay on the device where they are found again, and take a cohort's memory where they are not."""

import numpy as np

from fedcli.components.clients.runtime.data_cache import LARGEST, cache_bytes


def test_a_population_that_fits_is_kept_and_of_a_large_one_a_cohort():
    assert cache_bytes(np.full(1000, 400), 250, 10) == LARGEST
    many = cache_bytes(np.full(1_000_000, 400), 250, 10)
    assert many == 2**26
    assert many >= 10 * 400 * 250
    # Never more than before, whatever the cohort.
    assert cache_bytes(np.full(1_000_000, 400), 250, 1_000_000) == LARGEST
    assert cache_bytes(np.full(1_000_000, 400), 250, 1_000) == 2 * 1_000 * 400 * 250


def test_the_processes_of_a_machine_share_what_one_would_have():
    few, many = np.full(1000, 400), np.full(1_000_000, 400)
    assert cache_bytes(few, 250, 10, processes=8) == LARGEST // 8
    assert cache_bytes(many, 250, 1_000, processes=2) == 1_000 * 400 * 250
    assert cache_bytes(many, 250, 10, processes=8) == 2**26
    # Less than a client is no reason to take more than there is.
    assert cache_bytes(many, 250, 10, processes=64) == LARGEST // 64
