import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from ostcli.training import machine
from ostcli.training.machine import LoadMeter, usable_cores

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
ON_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no niceness")


@pytest.fixture
def sixteen_cores(monkeypatch):
    monkeypatch.setattr(machine, "_num_cores", lambda: 16)


def write(root, **files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


OWN = "proc/self/cgroup"
GROUPS = "sys/fs/cgroup"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 16),
        ({OWN: "0::/\n"}, 16),
        ({OWN: "0::/\n", f"{GROUPS}/cpu.max": "max 100000\n"}, 16),
        ({OWN: "0::/\n", f"{GROUPS}/cpu.max": "400000 100000\n"}, 4),
        ({OWN: "0::/\n", f"{GROUPS}/cpu.max": "160000 100000\n"}, 2),
        ({OWN: "0::/\n", f"{GROUPS}/cpu.max": "20000 100000\n"}, 1),
        ({OWN: "0::/\n", f"{GROUPS}/cpu.max": "6400000 100000\n"}, 16),
        ({OWN: "0::/\n", f"{GROUPS}/cpu.max": "nonsense\n"}, 16),
        (
            {
                OWN: "0::/user/ost\n",
                f"{GROUPS}/user/ost/cpu.max": "max 100000\n",
                f"{GROUPS}/user/cpu.max": "300000 100000\n",
            },
            3,
        ),
        (
            {
                OWN: "5:memory:/m\n4:cpu,cpuacct:/docker/12\n",
                f"{GROUPS}/cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
                f"{GROUPS}/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            2,
        ),
        (
            {
                OWN: "4:cpu:/\n",
                f"{GROUPS}/cpu/cpu.cfs_quota_us": "-1\n",
                f"{GROUPS}/cpu/cpu.cfs_period_us": "100000\n",
            },
            16,
        ),
    ],
)
def test_a_container_gets_as_many_cores_as_its_quota(tmp_path, sixteen_cores, files, cores):
    write(tmp_path, **files)
    assert usable_cores(tmp_path) == cores


@ON_LINUX
def test_a_process_bound_to_some_cores_has_no_more():
    all_cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_cores)})
    try:
        assert usable_cores() == LoadMeter().num_cores == 1
    finally:
        os.sched_setaffinity(0, all_cores)


class Clocks:
    """The system's count of busy seconds, this process's own, and the time."""

    def __init__(self, monkeypatch):
        self.now = self.busy = self.own = 100.0
        clock = SimpleNamespace(monotonic=lambda: self.now, process_time=lambda: self.own)
        monkeypatch.setattr(machine, "time", clock)

    def go_on(self, seconds, others, own):
        self.now += seconds
        self.busy += seconds * (others + own)
        self.own += seconds * own


@pytest.fixture
def clocks(monkeypatch, sixteen_cores):
    return Clocks(monkeypatch)


def test_what_is_busy_and_not_ours_others_take(clocks):
    load = LoadMeter(lambda: clocks.busy)
    for others, own in [(0.0, 2.0), (1.5, 1.0), (7.0, 0.0)]:
        clocks.go_on(0.5, others, own)
        assert load.age == 0.5
        assert load.look() == pytest.approx((others, own))
        assert load.age == 0.0


def test_counts_that_disagree_a_little_are_no_load(clocks):
    load = LoadMeter(lambda: clocks.busy)
    clocks.go_on(1.0, -0.02, 2.0)
    assert load.look().others == 0.0
    clocks.go_on(1.0, 40.0, 1.0)
    assert load.look().others == 16.0


def test_a_system_that_does_not_tell_gives_none(clocks):
    load = LoadMeter(lambda: None)
    clocks.go_on(1.0, 1.0, 1.0)
    assert load.look() is None
    assert LoadMeter(lambda: clocks.busy).look() is None  # no time has passed


STAT = """cpu  90 90 90 90 90 90 90 90 0 0
cpu0 100 20 30 1000 500 5 6 7 0 0
cpu1 200 40 60 2000 500 0 0 0 0 0
cpu7 900 900 900 900 900 900 900 900 0 0
intr 12345 1 2 3
"""


@ON_LINUX
@pytest.mark.parametrize(("niceness", "ticks"), [(0, 408), (10, 468)])
def test_linux_counts_our_cores_and_what_gives_way_to_nobody(monkeypatch, niceness, ticks):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(os, "getpriority", lambda *_: niceness)
    monkeypatch.setattr(os, "sysconf", lambda _: 100)
    assert machine._busy_on_linux(STAT) == pytest.approx(ticks / 100)


def test_own_work_is_not_that_of_others():
    load, began, own = LoadMeter(), time.monotonic(), time.process_time()
    while load.age < 0.5:
        pass
    told = load.look()
    taken = (time.process_time() - own) / (time.monotonic() - began)
    assert told is None or told.others <= load.num_cores - taken + 0.2


class Library:
    """Stands in for a system's library: gives counts, or an error."""

    def __init__(self, *counts, failed=0):
        self.counts = counts
        self.failed = failed

    def mach_host_self(self):
        return 1

    def host_statistics(self, host, flavour, ticks, count):
        assert (host, flavour, count._obj.value) == (1, 3, 4)
        ticks[:] = self.counts
        return self.failed


@ON_POSIX
@pytest.mark.parametrize(("niceness", "ticks"), [(0, 300), (10, 700)])
def test_macos_is_asked_for_its_ticks(monkeypatch, niceness, ticks):
    monkeypatch.setattr(os, "getpriority", lambda *_: niceness)
    monkeypatch.setattr(os, "sysconf", lambda _: 100)
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda _: Library(100, 200, 5000, 400))
    assert machine._busy_on_macos() == pytest.approx(ticks / 100)
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda _: Library(1, 1, 1, 1, failed=5))
    assert machine._busy_on_macos() is None


def test_an_unknown_system_does_not_tell(monkeypatch):
    monkeypatch.setattr(machine.sys, "platform", "plan9")
    assert machine._busy_seconds() is None


@ON_POSIX
def test_low_priority_is_that_of_the_process_and_of_its_threads():
    asked = (
        "import os, threading; from ostcli.training.machine import lower_priority\n"
        "lower_priority(); levels = []\n"
        "thread = threading.Thread(target=lambda: levels.append(os.nice(0)))\n"
        "thread.start(); thread.join(); print(os.nice(0), *levels)"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True)
    before = os.nice(0)
    assert done.stdout.split() == [str(min(19, before + 10))] * 2
