"""Worker processes: the same results, no TensorFlow, and errors as they were raised."""

import os
import signal
import sys

import pytest

from fedcli.core.errors import ConfigError, RunError
from fedcli.crypto import workers
from fedcli.crypto.bfv.plans import gaussian_tail, plan_shared_key


def test_work_is_done_in_another_process_with_the_same_result():
    assert workers.elsewhere(os.getpid) != os.getpid()
    assert workers.elsewhere(gaussian_tail, 3.0, num_values=100) == gaussian_tail(3.0, 100)


def test_work_side_by_side_keeps_its_order_and_raises_what_fails():
    assert workers.side_by_side(lambda item: workers.elsewhere(abs, item), [-3, 2, -1]) == [3, 2, 1]
    assert workers.side_by_side(abs, []) == []
    with pytest.raises(ConfigError, match="summands"):
        workers.side_by_side(lambda item: workers.elsewhere(plan_shared_key, item, bits=20), [1, 0])


def test_work_is_spread_in_pieces_whose_results_are_in_order():
    pieces = workers.spread(sorted, [5, 4, 3, 2, 1])
    assert [sorted(piece, reverse=True) for piece in pieces] == [
        *map(list, _cut([5, 4, 3, 2, 1], len(pieces)))
    ]
    assert workers.spread(sorted, []) == []


def test_an_error_comes_back_as_it_was_raised():
    with pytest.raises(ConfigError, match="summands"):
        workers.elsewhere(plan_shared_key, 0, bits=20)


def test_a_worker_writes_no_core_dump():
    resource = pytest.importorskip("resource")
    assert workers.elsewhere(resource.getrlimit, resource.RLIMIT_CORE)[0] == 0


def test_a_terminal_that_is_closed_ends_no_worker():
    for name in {"SIGINT", "SIGHUP"} & set(dir(signal)):
        assert workers.elsewhere(signal.getsignal, getattr(signal, name)) is signal.SIG_IGN


def test_a_worker_loads_no_tensorflow():
    workers.elsewhere(plan_shared_key, 10, bits=20)
    assert workers.elsewhere(_is_loaded, "fedcli.crypto.bfv.plans")
    assert not workers.elsewhere(_is_loaded, "tensorflow")


def test_a_worker_multiplies_matrices_on_one_thread():
    assert workers.elsewhere(os.getenv, "OPENBLAS_NUM_THREADS") == "1"


def test_a_worker_that_is_ended_is_an_error_and_the_next_call_has_a_new_one():
    with pytest.raises(RunError, match="was ended from outside"):
        workers.elsewhere(os._exit, 1)
    assert workers.elsewhere(abs, -3) == 3


def _cut(items, pieces):
    length = -(-len(items) // pieces)
    return [items[start : start + length] for start in range(0, len(items), length)]


def _is_loaded(module):
    return module in sys.modules
