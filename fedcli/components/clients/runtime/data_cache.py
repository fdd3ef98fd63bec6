"""How many bytes of clients' data stay on the device between rounds."""

from __future__ import annotations

from fedcli.core.types import Array

LARGEST = 2**31
# Where less than a quarter of the population would fit, a client is rarely found again before it is dropped.
_WORTH_KEEPING = 4
_LEAST = 2**26


def cache_bytes(num_train: Array, example_bytes: int, cohort: float, processes: int = 1) -> int:
    """Bytes of one process's cache: up to 2 GiB, or a cohort's worth of a population of which little would fit.

    Worker processes of a machine share both, since each trains its part of a cohort.

    Args:
        num_train: training examples of each client, [K].
        example_bytes: bytes of one example on the device.
        cohort: planned clients of a round.
        processes: that train on this machine, each with a cache of its own.
    """
    largest = LARGEST // processes
    population = int(num_train.sum()) * example_bytes
    if population <= _WORTH_KEEPING * LARGEST:
        return largest
    # Twice, because examples are padded to a power of two.
    return int(min(max(2 * cohort * population / len(num_train) / processes, _LEAST), largest))
