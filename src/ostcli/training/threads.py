"""How many threads the arithmetic uses, when other programs want the cores too.

OpenMP's threads wait for one another at every layer. When another process holds one of the cores,
all of them wait for the one that was put off: two trainings side by side, each with a thread per
core, ran up to fifty times slower than one alone, with one thread each less than twice (decisions
0007, 0036). `ostcli` limits the spinning when it is imported; this module gives a training as many
threads as there are cores that nobody else is using.
"""

import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

from ostcli.training.machine import LoadMeter, usable_cores

LOOK_SECONDS = 0.4
"""Least time between two looks at what others take; a system counts in hundredths of a second."""
BUSY_SECONDS = 0.7
"""Time on end that the looks must find too many threads in before some are given up."""
TAKEN = 0.5
"""Share of a core that others may take before it counts as theirs."""
STARVED = 0.75
"""Share of a core that each thread gets at least where others give way too."""
MOST_OF_THE_CORES = 0.6
"""Share of the cores that is more than a fair one beside another program."""
FREE = 0.25
"""Share of a core that others may take while it counts as free again."""
PATIENCE = 4.0
"""Seconds for which cores must have been free before they are taken back; twice as long after each
time that this turned out to be too soon."""
MOST_PATIENCE = 64.0
"""The longest of it. A number of threads that has held for so long was no mistake."""
SLOWER = 1.3
"""A step this many times as long as one with fewer threads means that there are too many."""
WINDOW = 5
"""Steps that are judged together."""
TRIAL_STEPS = 3
"""The same just after threads were added. The first of them that is slow ends the trial."""

_meter = LoadMeter()
_is_fixed: ContextVar[bool] = ContextVar("is_fixed", default=False)


def time_step(step: Callable[[], object], repeats: int = 3, *, hopeless: float = math.inf) -> float:
    """Return the median time of a step in seconds, after one that is not counted.

    Args:
        step: what is timed.
        repeats: how often.
        hopeless: if the first counted step takes more seconds than this, it is the only one.
    """
    step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
        if times[0] > hopeless:
            break
    return statistics.median(times)


@contextmanager
def using_threads(threads: int | None) -> Iterator[None]:
    """Compute on so many threads, and give torch its own number back.

    Args:
        threads: trainings keep to them; with None they begin with those of torch, in a container at
            most with as many as it gets cores, and are governed.

    Raises:
        ValueError: there are fewer threads than one.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    before, was_fixed = torch.get_num_threads(), _is_fixed.get()
    torch.set_num_threads(threads or min(before, usable_cores()))
    token = _is_fixed.set(was_fixed or threads is not None)
    try:
        yield
    finally:
        _is_fixed.reset(token)
        torch.set_num_threads(before)


def governor_for(device: torch.device) -> "ThreadGovernor | None":
    """Return what governs a training's threads; None where they do not matter, or are fixed."""
    if device.type != "cpu" or torch.get_num_threads() == 1 or _is_fixed.get():
        return None
    return ThreadGovernor(torch.get_num_threads(), _meter)


class ThreadGovernor:
    """Choose between one thread and all of them, step by step.

    *By load:* a thread for each core that others leave. Threads are given up as soon as there have
    been more of them than such cores for a moment (a single step beside a busy core can take as
    long as ten), and taken back when the cores have been free for a while. Another training does
    the same, and both get on. A program that gives no way leaves too little even for fewer threads;
    then more are tried, and kept as long as they take no more than about half of the cores.

    *By time:* load says nothing of a limit that the system hides, and not every system tells of it.
    So half of the threads are given up when steps take longer than with a single one, and threads
    that were added stay only if steps became no longer.

    On an undisturbed machine where all threads are the faster choice it never acts, and a run is
    reproducible to the bit.

    Args:
        all_threads: what the run may use at most.
        meter: tells what others take. What they took lately is where the run begins.
    """

    def __init__(self, all_threads: int, meter: LoadMeter) -> None:
        self._meter = meter
        self._most = all_threads
        self._seconds_one = math.inf
        self._patience = PATIENCE
        self._added_at = -math.inf
        self._is_told = False
        self._times: deque[float] = deque(maxlen=WINDOW)
        self._trial: tuple[int, float] | None = None
        self._busy_seconds = 0.0
        self._is_starved = self._stands = False
        self._room = all_threads
        self._free_since = 0.0
        self.gave_way = False
        """Whether others have had some of the threads."""
        self._use(all_threads)
        if meter.age > MOST_PATIENCE:
            meter.look()  # What was long ago says nothing of now.
        elif meter.age >= LOOK_SECONDS:
            self._look()

    @property
    def num_threads(self) -> int:
        """Threads in use."""
        return self._threads

    def measured(self, seconds: float, seconds_one: float) -> None:
        """Take in the time of a step as it is now and with one thread; go on with what is faster.

        Where nobody disturbed the measurement, a single thread that is faster stays so for good.
        """
        self._seconds_one = seconds_one
        self._times.clear()  # Of other number formats, too.
        if seconds_one < seconds:
            if self._is_told and not self._busy_seconds and not self.gave_way:
                self._most = 1
            self._use(1)

    def step_took(self, seconds: float) -> None:
        """Take in the time of one step; maybe change the number of threads."""
        self._times.append(seconds)
        if self._meter.age >= LOOK_SECONDS:
            self._look()
        if fewer := self._faster_with(seconds):
            self._give_up(to=fewer)
        elif self._threads < self._most and time.monotonic() - self._free_since >= self._patience:
            self._add()

    def _look(self) -> None:
        """Compare the threads with the cores that others leave."""
        since, load = self._meter.age, self._meter.look()
        self._is_told = load is not None
        if load is None:
            return
        cores = self._meter.num_cores
        left = cores - load.others
        is_busy = self._threads > max(1.0, left + TAKEN)
        self._stands = self._stands and is_busy
        if self._stands:
            is_busy = load.own > MOST_OF_THE_CORES * cores
        self._busy_seconds = self._busy_seconds + since if is_busy else 0.0
        if self._busy_seconds >= BUSY_SECONDS:
            self._give_up(to=max(1, round(left)))
        room, is_idle = math.floor(left + FREE), left - load.own > TAKEN
        self._is_starved = not is_idle and load.own < STARVED * self._threads
        self._room = min(self._room, max(room, 2 * self._threads * self._is_starved))
        if self._room <= self._threads:
            self._room, self._free_since = self._most, time.monotonic()

    def _faster_with(self, seconds: float) -> int | None:
        """Return how many threads would take less time, by the time of steps; None if none would.

        Args:
            seconds: the latest step.
        """
        if self._trial is None:
            is_full = len(self._times) == WINDOW and self._threads > 1
            is_slow = is_full and self._typical() > SLOWER * self._seconds_one
            return self._threads // 2 if is_slow else None
        fewer, before = self._trial
        is_over = len(self._times) == TRIAL_STEPS
        if seconds > SLOWER * before or (is_over and self._typical() > before):
            return fewer
        if is_over:
            self._trial = None
        return None

    def _typical(self) -> float:
        """Return the time of a step lately: the median, which overlooks a single disturbed one.

        Threads that are more than the cores left to them are disturbed all the time: there the few
        long steps are what they cost, and the mean counts.
        """
        return (statistics.fmean if self._stands else statistics.median)(self._times)

    def _give_up(self, *, to: int) -> None:
        too_soon = time.monotonic() - self._added_at < MOST_PATIENCE
        self._patience = min(2 * self._patience, MOST_PATIENCE) if too_soon else PATIENCE
        self.gave_way = True
        self._use(to)

    def _add(self) -> None:
        fewer, before = self._threads, statistics.median(self._times)
        if fewer == 1:
            self._seconds_one = before
        self._added_at = time.monotonic()
        is_starved = self._is_starved
        self._use(min(self._room, self._most))
        self._trial, self._stands = (fewer, before), is_starved

    def _use(self, threads: int) -> None:
        """Go on with so many threads, and judge them anew."""
        self._threads = threads
        self._times.clear()
        self._trial = None
        self._busy_seconds = 0.0
        self._is_starved = self._stands = False
        self._room = self._most
        self._free_since = time.monotonic()
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
