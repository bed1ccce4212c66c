"""The machine that a training shares with other programs: its cores, and who is using them.

Each system counts the seconds that its processors were busy; what this process has not used of them
itself, others took. Nothing here needs torch.
"""

import ctypes
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

LOW_PRIORITY = 10
"""By how much `lower_priority` raises the niceness: as much as `nice` does."""
BELOW_NORMAL_PRIORITY_CLASS = 0x4000
"""The same for Windows, from its winbase.h."""
HOST_CPU_LOAD_INFO = 3
"""What macOS's host_statistics is asked for, from its mach/host_info.h."""


def usable_cores(root: Path = Path("/")) -> int:
    """Return how many cores this process may use: those it is bound to, and what a container gets.

    Args:
        root: where the system's files lie.
    """
    return max(1, min(_num_cores(), round(min(_quota(root), 1 << 16))))


def lower_priority() -> None:
    """Let other programs go first, from now on.

    To be called before torch is imported: on Linux, threads that are there already stay as they
    are.
    """
    if sys.platform == "win32":
        kernel = ctypes.windll.kernel32
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        kernel.SetPriorityClass.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(LOW_PRIORITY)


class Load(NamedTuple):
    """Who took how many cores, on average over some time."""

    others: float
    own: float


class LoadMeter:
    """Tells how many cores other programs take, and this one, from one look to the next.

    Args:
        busy_seconds: CPU time that all programs have taken on the cores of this process so far;
            None where the system does not tell.
    """

    def __init__(self, busy_seconds: Callable[[], float | None] | None = None) -> None:
        self._busy_seconds = busy_seconds or _busy_seconds
        self.num_cores = _num_cores()
        """The cores that this process may run on, and others too."""
        self._before = self._now()

    @property
    def age(self) -> float:
        """Seconds since the last look."""
        return time.monotonic() - self._before[0]

    def look(self) -> Load | None:
        """Return who took how many cores since the last look; None if there is no telling."""
        (then, busy_then, own_then), self._before = self._before, self._now()
        now, busy_now, own_now = self._before
        if busy_now is None or busy_then is None or now == then:
            return None
        busy, own = (busy_now - busy_then) / (now - then), (own_now - own_then) / (now - then)
        return Load(min(max(0.0, busy - own), float(self.num_cores)), own)

    def _now(self) -> tuple[float, float | None, float]:
        return time.monotonic(), self._busy_seconds(), time.process_time()


def _num_cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota(root: Path) -> float:
    """Return the cores' worth of time that control groups allow; infinity where they do not limit.

    Source: Linux's documentation of cgroup v2 (cpu.max) and v1 (cpu.cfs_quota_us).
    """
    quota = float("inf")
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            group = PurePosixPath(path.lstrip("/"))
            for each in (group, *group.parents):  # The limits of all of them hold.
                quota = min(quota, _limit_of(root / "sys/fs/cgroup" / controllers / each))
    return quota


def _limit_of(group: Path) -> float:
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        with suppress(OSError, ValueError):  # No such file, or "max" for no limit.
            quota, period = map(int, " ".join((group / n).read_text() for n in names).split())
            return quota / period if quota > 0 else float("inf")
    return float("inf")


def _busy_seconds() -> float | None:
    """Return the CPU time that all programs have taken so far; None if the system does not tell.

    What runs at low priority is left out unless this process does so too: it gives way by itself.
    """
    with suppress(OSError, ValueError, AttributeError):
        if sys.platform == "linux":
            return _busy_on_linux(Path("/proc/stat").read_text())
        if sys.platform == "darwin":
            return _busy_on_macos()
        if sys.platform == "win32":
            return _busy_on_windows()
    return None


def _busy_on_linux(stat: str) -> float:
    """Add up the lines of our cores: user, nice, system, idle, iowait, irq, softirq, steal …."""
    ours = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    ticks = 0
    for name, *fields in (line.split() for line in stat.splitlines()):
        if name in ours:
            user, nice, system, _, _, *more = map(int, fields)
            ticks += user + system + sum(more[:3]) + (nice if _is_nice() else 0)
    return ticks / os.sysconf("SC_CLK_TCK")


def _busy_on_macos() -> float | None:
    """Ask the kernel for the ticks spent in user, system, idle and nice."""
    system = ctypes.CDLL(None)
    ticks, count = (ctypes.c_uint32 * 4)(), ctypes.c_uint32(4)
    if system.host_statistics(
        system.mach_host_self(), HOST_CPU_LOAD_INFO, ticks, ctypes.byref(count)
    ):
        return None
    return (ticks[0] + ticks[1] + (ticks[3] if _is_nice() else 0)) / os.sysconf("SC_CLK_TCK")


def _busy_on_windows() -> float | None:
    """Ask for the times, by 100 ns: idle, in the kernel (idle included), in programs."""
    if sys.platform != "win32":
        return None
    idle, kernel, user = (ctypes.c_uint64() for _ in range(3))
    if not ctypes.windll.kernel32.GetSystemTimes(*map(ctypes.byref, (idle, kernel, user))):
        return None
    return (kernel.value - idle.value + user.value) / 1e7


def _is_nice() -> bool:
    return os.getpriority(os.PRIO_PROCESS, 0) > 0
