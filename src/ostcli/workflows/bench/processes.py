"""Whole commands as a user starts them: how long they take, and how much memory."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostcli.errors import OstError

BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024


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
        self._out = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        self._err = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        self._began = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
        )

    def finished(self) -> Ran:
        """Wait for its end.

        Raises:
            OstError: it failed.
        """
        code, peak_mib = self._wait()
        seconds = time.perf_counter() - self._began
        with self._files:
            if code:
                self._err.seek(0)
                words = self._err.read().decode(errors="replace").strip().splitlines()
                raise OstError(
                    f"a command that was to be timed failed: {' '.join(self._command[1:])}",
                    hint=f"it said: {' '.join(words[-2:])}",
                )
            self._out.seek(0)
            text = self._out.read().decode(errors="replace")
        is_json = "--json" in self._command
        result = json.loads(text).get("result", {}) if is_json else {}
        return Ran(seconds=seconds, peak_mib=peak_mib, result=result)

    def stop(self) -> None:
        """End it now."""
        self._process.kill()
        self._process.wait()
        self._files.close()

    def _wait(self) -> tuple[int, float | None]:
        if not hasattr(os, "wait4"):
            return self._process.wait(), None
        _, status, usage = os.wait4(self._process.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self._process.returncode = code  # It is waited for; `subprocess` must not wait again.
        return code, usage.ru_maxrss * BYTES_OF_MAXRSS / 2**20


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

    def occupy(self) -> Started:
        """Keep one core busy, until it is stopped."""
        return Started([sys.executable, "-c", "while True: pass"], self._environment, self.folder)
