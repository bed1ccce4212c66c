"""How many threads the arithmetic uses, when other programs want the cores too.

OpenMP's threads wait for one another at every layer. When another process holds one of the cores,
all of them wait for the one that was put off: two trainings side by side, each with a thread per
core, ran up to fifty times slower than one alone, with one thread each 1.5 times (decision
0007). `ostcli` limits the spinning when it is imported; this module gives up threads while
steps take longer than fewer threads would need, and takes them back when the cores are free.
"""

import math
import statistics
import time
from collections.abc import Callable

import torch

SLOWER = 1.3
"""A step this many times as long as one with fewer threads means that the cores are taken."""
WINDOW = 8
"""Steps that are judged together."""
RETRY_SECONDS = 30.0
"""How long to run with few threads before all of them are tried again."""
TRIAL_STEPS = 3
"""Steps of such a trial."""


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


class ThreadGovernor:
    """Choose between all threads and one, by the time that steps take.

    On an undisturbed machine where all threads are the faster choice it never acts, and a run is
    reproducible to the bit. With a single thread to choose from it never acts at all.

    Args:
        all_threads: what the run may use at most.
        seconds_all: a step with all of them, measured before the run.
        seconds_one: a step with a single one, measured before the run.
    """

    def __init__(self, all_threads: int, seconds_all: float, seconds_one: float) -> None:
        self._all = all_threads
        self._seconds_one = seconds_one
        self._times: list[float] = []
        self._trial_left = 0
        self._one_since = time.monotonic()
        self._use(1 if seconds_one < seconds_all else all_threads)

    @property
    def num_threads(self) -> int:
        """Threads in use."""
        return self._threads

    def step_took(self, seconds: float) -> None:
        """Take in the time of one step; maybe change the number of threads."""
        self._times.append(seconds)
        if self._threads > 1:
            self._judge_all()
        elif self._all > 1 and time.monotonic() - self._one_since > RETRY_SECONDS:
            self._seconds_one = statistics.median(self._times[-WINDOW:])
            self._use(self._all)
            self._trial_left = TRIAL_STEPS

    def _judge_all(self) -> None:
        window = TRIAL_STEPS if self._trial_left else WINDOW
        limit = self._seconds_one * (1.0 if self._trial_left else SLOWER)
        if len(self._times) < window:
            return
        self._trial_left = 0
        if statistics.median(self._times[-window:]) > limit:
            self._use(1)

    def _use(self, threads: int) -> None:
        self._threads = threads
        self._times.clear()
        self._one_since = time.monotonic()
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
