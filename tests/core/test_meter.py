"""Sums of a round that many threads add to."""

from concurrent.futures import ThreadPoolExecutor

from fedcli.core.meter import Meter


def test_nothing_that_is_added_is_lost():
    meter = Meter()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: meter.add("bytes", 3), range(1000)))
    meter.add("seconds", 0.25)
    assert meter.figures() == {"bytes": 3000, "seconds": 0.25}
    assert Meter().figures() == {}
