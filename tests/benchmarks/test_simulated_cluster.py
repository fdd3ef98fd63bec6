"""Rounds of a cluster in virtual time: what can be calculated by hand, and the blocks of the executor."""

from pathlib import Path

import pytest

from benchmarks.simulated_cluster import SHAPES, Cluster, projection, simulated

# A model whose sum takes a second on the link of a test, and whose single update takes half of one.
MODEL = 1_000_000
FREE = Cluster(
    1, 1, MODEL, 1.0, message_seconds=0.0, look_seconds=0.0, adds_per_second=1e30, bytes_per_second=8e6
)


@pytest.mark.parametrize(
    ("workers", "cores", "clients", "seconds"),
    [
        (1, None, 32, 32.0),
        (2, None, 32, 16.0),
        # Two blocks would leave two of four workers idle, so that these are shared.
        (4, None, 32, 8.0),
        # Three blocks a worker, and one that both share.
        (2, None, 7 * 16, 56.0),
        # More workers than cores train no faster.
        (4, 2, 64, 32.0),
        (4, 1, 64, 64.0),
    ],
)
def test_on_one_machine_only_training_takes_time(workers, cores, clients, seconds):
    found = simulated(FREE._replace(workers=workers, cores=cores), clients, sums=True)
    assert found.seconds == pytest.approx(seconds)
    assert found.longest == "training"


def test_what_travels_is_a_sum_a_block_or_an_update_a_client():
    two = FREE._replace(nodes=2)
    summed, single = (simulated(two, 64, sums=sums) for sums in (True, False))
    assert (summed.messages, summed.received) == (4, 4 * 8 * MODEL)
    assert (single.messages, single.received) == (64, 64 * 4 * MODEL)
    # Half of them cross the link, the other half is from the driver's own node.
    assert summed.parts["the results' way"] == pytest.approx(2 * 1.0)
    assert single.parts["the results' way"] == pytest.approx(32 * 0.5, abs=1.0)


def test_the_last_node_begins_when_the_model_has_arrived_and_its_result_comes_last():
    found = simulated(FREE._replace(nodes=3), 48, sums=True)
    # The model takes half a second to each; the block that began last needs a second for its sum.
    assert found.parts["the model's way"] == pytest.approx(1.0)
    assert found.seconds == pytest.approx(2 * 0.5 + 16 + 1 + 0.5)


def test_a_driver_that_is_slow_decides():
    found = simulated(FREE._replace(nodes=10, message_seconds=3.0, bytes_per_second=1e12), 100, sums=False)
    assert found.longest == "the driver"
    assert found.parts["the driver"] == pytest.approx(300.0)
    assert 300 <= found.seconds < 310
    adds = simulated(FREE._replace(adds_per_second=MODEL / 2, workers=4), 64, sums=True)
    assert adds.parts["the driver"] == pytest.approx(4 * 2.0)


def test_thousands_of_workers_are_simulated():
    found = simulated(FREE._replace(nodes=1000, workers=8), 10_000, sums=True)
    assert (found.messages, found.received) == (625, 625 * 8 * MODEL)


def test_the_table_of_the_docs_is_what_is_printed():
    # The rows of a thousand nodes take seconds.
    page = (Path(__file__).parents[2] / "docs/scale.md").read_text(encoding="utf-8")
    assert "\n".join(projection(1_663_370, 0.3, shapes=SHAPES[:3])) in page
