"""A signal asks the work to stop; a second one stops it."""

import os
import signal
import sys

import pytest

from ostcli.cli.signals import StopSignal
from ostcli.errors import InterruptedRun

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_remembered(number):
    before = signal.getsignal(number)
    with StopSignal(quiet=True) as stop:
        assert not stop()
        os.kill(os.getpid(), number)
        assert stop()
        assert stop.terminated == (number == signal.SIGTERM)
    assert signal.getsignal(number) is before


def test_the_second_signal_stops_at_once():
    with pytest.raises(InterruptedRun) as raised, StopSignal(quiet=True) as stop:  # noqa: PT012
        stop()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert raised.value.exit_code == 143


def test_before_the_work_has_begun_one_signal_is_enough():
    with pytest.raises(InterruptedRun) as raised, StopSignal(quiet=True):
        os.kill(os.getpid(), signal.SIGINT)
    assert raised.value.exit_code == 130


def test_the_user_is_told_at_once(capfd):
    with StopSignal() as stop:
        stop()
        os.kill(os.getpid(), signal.SIGINT)
    assert "once more stops at once" in capfd.readouterr().err
