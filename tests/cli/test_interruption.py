"""The first signal is a wish, and says what is waited for; the second is an order."""

import os
import signal

import pytest

from fedcli.cli.interruption import interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_is_a_wish_the_second_an_order_and_handlers_come_back(number):
    # Under nohup the tests were started with SIGHUP ignored.
    first = signal.signal(number, signal.default_int_handler)
    before = signal.getsignal(number)
    with interruptible() as asked_to_stop:
        assert not asked_to_stop()
        os.kill(os.getpid(), number)
        assert asked_to_stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
    signal.signal(number, first)


def test_the_first_signal_says_what_is_waited_for(capfd):
    with interruptible(lambda: "2 of 3 are done") as asked_to_stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked_to_stop()
    assert capfd.readouterr().err == "\n2 of 3 are done\n"


def test_a_run_under_nohup_is_not_stopped_by_the_end_of_its_terminal():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible() as asked_to_stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not asked_to_stop()
    finally:
        signal.signal(signal.SIGHUP, before)
