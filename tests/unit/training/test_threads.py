"""The governor on a machine made of numbers: cores, programs, and a clock that only tests move."""

import itertools
import math
from types import SimpleNamespace

import pytest
import torch

from ostcli.training import threads
from ostcli.training.machine import Load
from ostcli.training.threads import (
    MOST_PATIENCE,
    PATIENCE,
    WINDOW,
    ThreadGovernor,
    governor_for,
    time_step,
    using_threads,
)

TICK = 0.02
JAMS = 6.0
"""Times as long as it should that a step takes whose threads spin for one that was put off."""
QUEUES = 1.1
"""The same if they sleep."""
SERIAL = 0.15
"""Share of a step that one thread does alone."""


class Machine:
    """Cores that programs share fairly, a clock, and what the system tells of both."""

    def __init__(self, num_cores=2, tells=True):
        self.num_cores = num_cores
        self.tells = tells
        self.jam = JAMS
        self.jams_every = None
        self.now = 1000.0
        self.busy = 0.0
        self.others = taking(0)
        self.trainings = []

    def run(self, seconds):
        """Let some time pass."""
        for _ in range(round(seconds / TICK)):
            self.tick()

    def run_until(self, happens, at_most=3600.0):
        """Let time pass until something is so; return how long that took."""
        begin = self.now
        while not happens():
            self.tick()
            assert self.now - begin < at_most
        return self.now - begin

    @property
    def jam_now(self):
        """All of the time, or for a third of every so many seconds."""
        every = self.jams_every
        return self.jam if every is None or self.now % every < every / 3 else QUEUES

    def tick(self):
        running = [each for each in self.trainings if each.runs]
        wanted = self.others(self.now) + sum(each.num_threads for each in running)
        share = min(1.0, self.num_cores / wanted) if wanted else 1.0
        self.now += TICK
        self.busy += share * wanted * TICK
        for each in running:
            each.tick(share)


def taking(cores, begin=0.0):
    """Return programs that want so many cores, a part of one by being busy a part of the time."""

    def others(now):
        whole, part = divmod(cores, 1)
        return (whole + (now % 0.2 < 0.2 * part)) if now >= begin else 0.0

    return others


class Training:
    """A training on that machine. A step takes `seconds` alone on one thread."""

    def __init__(self, machine, seconds=0.3, most_steps=None):
        self.machine = machine
        self.seconds = seconds
        self.most_steps = most_steps
        self.own = self.done = 0.0
        self.began = self.looked_at = machine.now
        self.before = (machine.busy, 0.0)
        self.times = []
        self.changes = []
        self.governor = None
        machine.trainings.append(self)

    def govern(self, **measured):
        self.governor = ThreadGovernor(self.machine.num_cores, self)
        self.changes = [self.num_threads]
        if measured:
            self.governor.measured(**measured)
        else:
            self.governor.measured(self.step_time(self.num_threads), self.step_time(1))
        return self.governor

    def step_time(self, number):
        return self.seconds * (SERIAL + (1 - SERIAL) / number)

    @property
    def num_threads(self):
        return self.governor.num_threads if self.governor else 1

    @property
    def runs(self):
        return self.most_steps is None or len(self.times) < self.most_steps

    def tick(self, share):
        jam = self.machine.jam_now if share < 1 and self.num_threads > 1 else 1.0
        self.own += share * self.num_threads * TICK
        self.done += TICK * share / jam / self.step_time(self.num_threads)
        if self.done >= 1:
            self.done = 0.0
            self.times.append(self.machine.now - self.began)
            self.began = self.machine.now
            if self.governor:
                self.governor.step_took(self.times[-1])
                if self.num_threads != self.changes[-1]:
                    self.changes.append(self.num_threads)

    # What the governor asks: the LoadMeter of this training.

    @property
    def num_cores(self):
        return self.machine.num_cores

    @property
    def age(self):
        return self.machine.now - self.looked_at

    def look(self):
        busy, own = (
            now - then for now, then in zip((self.machine.busy, self.own), self.before, strict=True)
        )
        elapsed, self.looked_at = self.age, self.machine.now
        self.before = (self.machine.busy, self.own)
        if not self.machine.tells or not elapsed:
            return None
        return Load((busy - own) / elapsed, own / elapsed)


@pytest.fixture
def machine(monkeypatch):
    """Give a machine of two cores; torch's threads are set on it and not here."""
    machine = Machine()
    clock = SimpleNamespace(
        monotonic=lambda: machine.now, perf_counter=lambda: machine.now, sleep=machine.run
    )
    monkeypatch.setattr(threads, "time", clock)
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    return machine


def begun(machine, seconds=0.3):
    """Begin a training, alone, and let it run for a while."""
    training = Training(machine, seconds)
    training.govern()
    machine.run(10)
    return training


CORES = pytest.mark.parametrize("num_cores", [2, 3, 4, 8, 16])


@CORES
@pytest.mark.parametrize("seconds", [0.02, 0.3, 5.0])
@pytest.mark.parametrize("tells", [True, False])
def test_alone_it_never_acts(machine, num_cores, seconds, tells):
    machine.num_cores, machine.tells = num_cores, tells
    training = begun(machine, seconds)
    machine.run(60)
    assert training.changes == [num_cores]
    assert not training.governor.gave_way


@pytest.mark.parametrize(
    ("load", "lasts"), [(0.2, 1e9), (0.4, 1e9), (2.0, 0.25), (1.0, 0.4)], ids=str
)
def test_a_little_load_and_a_short_one_do_not_matter(machine, load, lasts):
    training = begun(machine)
    machine.others = lambda now: taking(load)(now) if (now - 1010.0) % 20 < lasts else 0.0
    machine.run(300)
    assert training.changes == [2]


@CORES
def test_it_gives_up_threads_within_a_few_steps(machine, num_cores):
    machine.num_cores = num_cores
    training = begun(machine)
    for taken in range(1, num_cores + 1):
        machine.others = taking(taken)
        before = len(training.times)
        left = max(1, num_cores - taken)
        seconds = machine.run_until(lambda left=left: training.num_threads <= left)
        assert len(training.times) - before <= WINDOW + 1 or seconds < 1.5
    machine.run(30)
    assert training.num_threads == 1
    assert training.governor.gave_way


@CORES
@pytest.mark.parametrize("jam", [JAMS, QUEUES])
def test_it_takes_threads_back_when_the_cores_are_free(machine, num_cores, jam):
    machine.num_cores, machine.jam = num_cores, jam
    training = begun(machine)
    machine.others = taking(num_cores)
    machine.run(60)
    assert jam == QUEUES or training.num_threads == 1
    machine.others = taking(0)
    assert machine.run_until(lambda: training.num_threads == num_cores) < 2 * PATIENCE + 2
    machine.run(60)
    assert training.num_threads == num_cores


@CORES
def test_under_a_steady_load_of_any_size_it_settles(machine, num_cores):
    machine.num_cores = num_cores
    training = begun(machine)
    for tenths in range(0, 10 * num_cores + 1, num_cores):
        machine.others = taking(tenths / 10)
        machine.run(10)
        training.changes = [training.num_threads]
        machine.run(60)
        trials = math.log2(60 / PATIENCE)  # Each twice as long after the one before.
        assert len(training.changes) <= 1 + 2 * trials


@pytest.mark.parametrize("period", [1, 3, 8, 21, 55])
@pytest.mark.parametrize("share", [0.2, 0.7])
@pytest.mark.parametrize(("tells", "jam"), [(True, JAMS), (True, QUEUES), (False, JAMS)])
def test_it_does_not_flap(machine, period, share, tells, jam):
    machine.tells, machine.jam = tells, jam
    training = begun(machine)
    machine.others = lambda now: 2.0 if now % period < share * period else 0.0
    machine.run(600)
    assert len(training.changes) < 40
    training.changes = [training.num_threads]
    machine.run(600)
    assert len(training.changes) <= 2 * 600 / MOST_PATIENCE + 2


@pytest.mark.parametrize("jam", [JAMS, QUEUES])
def test_two_trainings_share_fairly(machine, jam):
    """A run of 120 steps beside another one against the same run alone, start included."""
    machine.jam = jam
    alone = Training(machine, most_steps=120)
    alone.govern()
    seconds_alone = machine.run_until(lambda: not alone.runs)
    first, second = (Training(machine, most_steps=120) for _ in range(2))
    machine.run(3.0)  # Both import torch and open what they need, on one thread each.
    for each in (first, second):
        each.times.clear()
        each.govern()
    machine.run_until(lambda: not (first.runs and second.runs))
    for each in (first, second):
        assert sum(each.times) / len(each.times) < 2.1 * seconds_alone / 120


@pytest.mark.parametrize("arrives", [0.0, 5.0])
@pytest.mark.parametrize(("jam", "most"), [(JAMS, 2.8), (QUEUES, 2.5)])
def test_beside_a_process_that_wants_all_cores_a_run_takes_little_more_than_its_share(
    machine, arrives, jam, most
):
    """One thread's share of two cores comes to 2.6, both threads' to 2.2 if they do not jam."""
    machine.jam = jam
    alone = Training(machine, most_steps=120)
    alone.govern()
    seconds_alone = machine.run_until(lambda: not alone.runs)
    machine.others = taking(2, machine.now + arrives)
    training = Training(machine, most_steps=120)
    machine.run(3.0)
    training.times.clear()
    training.govern()
    machine.run_until(lambda: not training.runs)
    assert sum(training.times) < most * seconds_alone


@pytest.mark.parametrize("every", [2.0, 5.0])
def test_a_few_long_steps_are_what_too_many_threads_cost(machine, every):
    """Most steps are none the longer for them: by the median, they would be kept (2.8)."""
    machine.jam, machine.jams_every = 30.0, every
    alone = Training(machine, 0.15, most_steps=300)
    alone.govern()
    seconds_alone = machine.run_until(lambda: not alone.runs)
    machine.others = taking(2)
    training = Training(machine, 0.15, most_steps=300)
    training.govern()
    machine.run_until(lambda: not training.runs)
    assert sum(training.times) < 2.65 * seconds_alone


def test_it_gives_way_to_another_training_though_not_to_a_program_that_gives_none(machine):
    machine.jam = QUEUES
    training = begun(machine)
    machine.others = taking(2)
    machine.run(60)
    assert training.num_threads == 2
    machine.others = taking(1)  # As another training is, that has given way itself.
    machine.run(5)
    assert training.num_threads == 1
    machine.run(120)
    assert training.num_threads == 1


def test_the_first_of_two_takes_the_cores_back_when_the_second_is_done(machine):
    first = begun(machine)
    second = Training(machine, most_steps=60)
    machine.run(3.0)
    second.govern()
    machine.run_until(lambda: not second.runs)
    assert (first.num_threads, second.num_threads) == (1, 1)
    machine.run(PATIENCE + 2.0)
    assert first.num_threads == 2


def test_what_others_took_before_is_where_it_begins(machine):
    machine.others = taking(1)
    training = Training(machine)
    machine.run(3.0)
    assert training.govern().num_threads == 1
    assert training.governor.gave_way


def test_what_others_took_long_ago_says_nothing(machine):
    machine.others = taking(2)
    training = Training(machine)
    machine.run(300)
    machine.others = taking(0)
    assert training.govern().num_threads == 2
    machine.run(30)
    assert training.changes == [2]


# Where the system does not tell what others take, or tells too little.


@CORES
def test_by_time_alone_it_gives_up_threads_within_a_few_steps(machine, num_cores):
    machine.num_cores, machine.tells = num_cores, False
    training = begun(machine)
    machine.others = taking(num_cores)
    before = len(training.times)
    machine.run_until(lambda: training.num_threads < num_cores)
    assert len(training.times) - before <= WINDOW
    machine.run(120)
    assert training.num_threads <= max(1, num_cores // 2)


def test_by_time_alone_trials_are_short_and_become_rare(machine):
    machine.tells = False
    training = begun(machine)
    machine.others = taking(2)
    machine.run(600)
    trials = training.changes.count(2) - 1
    assert 2 <= trials <= 15
    slow = [seconds for seconds in training.times if seconds > 0.5]
    assert len(slow) <= WINDOW + 2 * trials


def test_by_time_alone_it_takes_threads_back(machine):
    machine.tells = False
    training = begun(machine)
    machine.others = taking(2)
    machine.run(60)
    machine.others = taking(0)
    assert machine.run_until(lambda: training.num_threads == 2) < MOST_PATIENCE
    machine.run(600)
    assert training.num_threads == 2


def test_a_limit_that_the_system_hides_shows_in_the_time_of_steps(machine):
    """A container's limit: no other program, yet many threads are slower than one."""
    machine.num_cores = 16
    training = Training(machine)
    training.govern()
    training.step_time = lambda number: 0.3 * (SERIAL + (1 - SERIAL) / number) * max(1, number - 2)
    machine.run(60)
    assert training.num_threads < 8
    training.changes = [training.num_threads]
    machine.run(600)
    assert len(training.changes) <= 2 * 600 / MOST_PATIENCE + 4


def test_single_slow_steps_do_not_matter(machine):
    governor = Training(machine).govern()
    for step in range(300):
        governor.step_took(9.0 if step % WINDOW < WINDOW // 2 else 0.2)
    assert governor.num_threads == 2


# One thread.


def test_a_single_thread_that_is_faster_stays_so_where_nobody_disturbed_the_measurement(machine):
    training = Training(machine)
    machine.run(1.0)
    governor = training.govern(seconds=0.2, seconds_one=0.1)
    assert governor.num_threads == 1
    machine.run(600)
    assert governor.num_threads == 1
    assert not governor.gave_way


def test_beside_others_it_is_tried_again(machine):
    training = Training(machine)
    machine.others = taking(2)
    machine.run(1.0)
    training.govern(seconds=0.6, seconds_one=0.3)
    machine.others = taking(0)
    machine.run(60)
    assert training.num_threads == 2


# What is governed, and on how many threads.


@pytest.fixture
def torch_threads(monkeypatch):
    """Let torch have 4 threads, and an unlimited machine; return the numbers that are set."""
    given = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: given[-1])
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    monkeypatch.setattr(threads, "usable_cores", lambda: 16)
    monkeypatch.setattr(threads, "_meter", SimpleNamespace(num_cores=16, age=0.0))
    return given


def test_threads_are_governed_on_the_cpu_only(torch_threads):
    assert governor_for(torch.device("cpu")).num_threads == 4
    assert governor_for(torch.device("cuda")) is None
    assert governor_for(torch.device("mps")) is None


def test_a_single_thread_is_not_governed(torch_threads):
    torch_threads.append(1)
    assert governor_for(torch.device("cpu")) is None


@pytest.mark.parametrize("number", [1, 3, 7])
def test_a_number_that_is_asked_for_is_kept_to_and_given_back(torch_threads, number):
    with using_threads(number):
        assert torch.get_num_threads() == number
        assert governor_for(torch.device("cpu")) is None
        with using_threads(None):
            assert torch.get_num_threads() == number
            assert governor_for(torch.device("cpu")) is None
    assert torch.get_num_threads() == 4
    assert governor_for(torch.device("cpu")) is not None


@pytest.mark.parametrize(("usable", "begins_with"), [(2, 2), (16, 4)])
def test_without_one_a_container_gets_no_more_threads_than_cores(
    torch_threads, monkeypatch, usable, begins_with
):
    monkeypatch.setattr(threads, "usable_cores", lambda: usable)
    with using_threads(None):
        assert governor_for(torch.device("cpu")).num_threads == begins_with
    assert torch.get_num_threads() == 4


def test_fewer_threads_than_one_are_refused(torch_threads):
    with pytest.raises(ValueError, match="at least 1"), using_threads(0):
        pass
    assert torch_threads == [4]


# Timing.


def took(machine, seconds):
    times = iter(seconds)

    def step():
        machine.now += next(times)

    return step, times


@pytest.mark.parametrize(("hopeless", "counted"), [(5.0, 1), (20.0, 3)])
def test_a_hopeless_step_is_not_repeated(hopeless, counted, machine):
    step, left = took(machine, [10.0] * 5)
    assert time_step(step, hopeless=hopeless) == pytest.approx(10.0)
    assert len(list(left)) == 5 - (1 + counted)


def test_a_step_is_timed_by_the_median_after_one_that_warms_up(machine):
    step, left = took(machine, [100.0, 1.0, 50.0, 2.0])
    assert time_step(step) == pytest.approx(2.0)
    assert not list(itertools.islice(left, 1))
