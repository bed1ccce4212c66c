"""Whole commands as a user starts them: how long they take, and how much memory."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostcli.errors import OstError

BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024
LAUNCHER = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[2:])
peak = None
if hasattr(os, "wait4"):
    _, status, usage = os.wait4(process.pid, 0)
    code, peak = os.waitstatus_to_exitcode(status), usage.ru_maxrss
else:
    code = process.wait()
with open(sys.argv[1], "w") as file:
    json.dump([time.perf_counter() - began, peak], file)
sys.exit(code if code >= 0 else 128 - code)
"""
"""Starts a command, and writes its time and its peak of memory to a file.

A process takes over the peak of the one that started it. That is this small program's, in place of
what a program holds that has just trained networks.
"""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a command came to."""

    seconds: float
    """From its start to its end."""
    peak_mib: float | None
    """The most memory that it held, in MiB; None where the system does not say."""
    result: Mapping[str, Any]
    """What it printed as JSON."""


class Started:
    """A command at work.

    Args:
        command: the program and its arguments.
        environment: its variables.
        folder: its working folder.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self._command = command
        self._files = ExitStack()
        notes = self._files.enter_context(tempfile.TemporaryDirectory(prefix="ost-bench-"))
        self._notes, out, err = (Path(notes) / name for name in ("notes", "out", "err"))
        self._out, self._err = out, err
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, str(self._notes), *command],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self._files.enter_context(out.open("wb")),
            stderr=self._files.enter_context(err.open("wb")),
        )

    def finished(self) -> Ran:
        """Wait for its end.

        Raises:
            OstError: it failed.
        """
        with self._files:
            if self._process.wait():
                words = self._err.read_text(errors="replace").strip().splitlines()
                raise OstError(
                    f"a command that was to be timed failed: {' '.join(self._command[1:])}",
                    hint=f"it said: {' '.join(words[-2:])}",
                )
            seconds, peak = json.loads(self._notes.read_text())
            is_json = "--json" in self._command
            result = json.loads(self._out.read_text()).get("result", {}) if is_json else {}
        return Ran(
            seconds=seconds,
            peak_mib=None if peak is None else peak * BYTES_OF_MAXRSS / 2**20,
            result=result,
        )


class Busy:
    """Keeps one core busy, until it is stopped."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", "while True: pass"])

    def stop(self) -> None:
        """End it now."""
        self._process.kill()
        self._process.wait()


class Workshop:
    """A temporary folder with a store of its own, in which commands are timed."""

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="ost-bench-")
        self.folder = Path(self._temporary.name)
        self.store = self.folder / "store"
        self._environment = {**os.environ, "OST_HOME": str(self.store)}

    def close(self) -> None:
        """Remove all of it."""
        self._temporary.cleanup()

    def start(self, *arguments: str | Path) -> Started:
        """Begin an `ost` command."""
        command = [sys.executable, "-m", "ostcli", *map(str, arguments)]
        return Started(command, self._environment, self.folder)

    def run(self, *arguments: str | Path) -> Ran:
        """Run an `ost` command to its end.

        Raises:
            OstError: it failed.
        """
        return self.start(*arguments).finished()
