from types import SimpleNamespace

import pytest
import torch

from ostcli.training import threads
from ostcli.training.threads import RETRY_SECONDS, WINDOW, ThreadGovernor, time_step


class Machine:
    """Stands in for torch's threads and for the clock."""

    def __init__(self):
        self.threads = 4
        self.changes = []
        self.now = 100.0

    def get_num_threads(self):
        return self.threads

    def set_num_threads(self, number):
        self.threads = number
        self.changes.append(number)


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(torch, "get_num_threads", machine.get_num_threads)
    monkeypatch.setattr(torch, "set_num_threads", machine.set_num_threads)
    clock = SimpleNamespace(monotonic=lambda: machine.now, perf_counter=lambda: machine.now)
    monkeypatch.setattr(threads, "time", clock)
    return machine


def take_steps(governor, machine, seconds, count):
    for _ in range(count):
        machine.now += seconds
        governor.step_took(seconds)


def test_undisturbed_it_never_acts(machine):
    governor = ThreadGovernor(4, seconds_all=0.1, seconds_one=0.3)

    take_steps(governor, machine, 0.1, 2000)

    assert machine.changes == []
    assert governor.num_threads == 4


def test_single_slow_steps_do_not_matter(machine):
    governor = ThreadGovernor(4, seconds_all=0.1, seconds_one=0.3)

    for _ in range(100):
        take_steps(governor, machine, 0.1, 5)
        take_steps(governor, machine, 9.0, 3)

    assert machine.changes == []


def test_it_steps_down_when_steps_take_longer_than_with_one_thread(machine):
    governor = ThreadGovernor(4, seconds_all=0.1, seconds_one=0.3)

    take_steps(governor, machine, 3.0, WINDOW)

    assert machine.changes == [1]
    assert governor.num_threads == 1


def test_it_stays_while_all_threads_are_slowed_but_not_slower_than_one(machine):
    governor = ThreadGovernor(4, seconds_all=0.1, seconds_one=0.3)

    take_steps(governor, machine, 0.35, 100)

    assert machine.changes == []


def test_after_a_while_it_tries_all_threads_and_keeps_them_if_the_cores_are_free(machine):
    governor = ThreadGovernor(4, seconds_all=0.1, seconds_one=0.3)
    take_steps(governor, machine, 3.0, WINDOW)

    take_steps(governor, machine, 0.3, int(RETRY_SECONDS / 0.3) - 1)
    assert governor.num_threads == 1
    take_steps(governor, machine, 0.3, 3)
    assert governor.num_threads == 4
    take_steps(governor, machine, 0.1, 1000)

    assert machine.changes == [1, 4]


def test_a_trial_that_fails_ends_after_three_steps(machine):
    governor = ThreadGovernor(4, seconds_all=0.1, seconds_one=0.3)
    take_steps(governor, machine, 3.0, WINDOW)
    while governor.num_threads == 1:
        take_steps(governor, machine, 0.3, 1)

    take_steps(governor, machine, 3.0, 3)

    assert machine.changes == [1, 4, 1]


def test_a_trial_is_held_against_the_latest_steps_with_one_thread(machine):
    governor = ThreadGovernor(4, seconds_all=0.1, seconds_one=0.3)
    take_steps(governor, machine, 3.0, WINDOW)
    while governor.num_threads == 1:
        take_steps(governor, machine, 0.6, 1)  # the machine is busy: one thread is slower as well

    take_steps(governor, machine, 0.5, 100)

    assert machine.changes == [1, 4]


def test_it_begins_with_one_thread_where_that_is_faster(machine):
    assert ThreadGovernor(4, seconds_all=0.2, seconds_one=0.1).num_threads == 1
    assert machine.changes == [1]


def test_with_a_single_core_there_is_nothing_to_choose(machine):
    machine.threads = 1
    governor = ThreadGovernor(1, seconds_all=0.1, seconds_one=0.1)

    take_steps(governor, machine, 5.0, 200)

    assert machine.changes == []


@pytest.mark.parametrize(("hopeless", "counted"), [(5.0, 1), (20.0, 3)])
def test_a_hopeless_step_is_not_repeated(hopeless, counted, machine):
    took = []

    def step():
        machine.now += 10.0
        took.append(10.0)

    assert time_step(step, hopeless=hopeless) == pytest.approx(10.0)
    assert len(took) == 1 + counted


def test_a_step_is_timed_by_the_median_after_one_that_warms_up(machine):
    took = iter([100.0, 1.0, 50.0, 2.0])

    def step():
        machine.now += next(took)

    assert time_step(step) == pytest.approx(2.0)
    assert next(took, None) is None
