"""Every error a user can meet, with its exit code, its sentence and what to run next.

OstError                     a sentence, a hint, an exit code
├── UsageError               2   the command makes no sense as given
├── InputError               4   a picture or a folder cannot be used
│   ├── PictureError             one picture cannot be read or written
│   └── TrainingFailedError      training failed on these pictures again and again
├── StoreError               5   a model, an adaptation or the store cannot be used
│   ├── NotFoundError            no model of that name
│   ├── DamagedError             a file differs from what was written
│   └── BusyError                another process is writing it
├── ResourceError            6   out of memory or disk
└── InterruptedRun           130 or 143   stopped by a signal, the state is kept
"""

from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What the process returns to the shell."""

    DONE = 0
    BUG = 1
    USAGE = 2
    PARTIAL = 3
    INPUT = 4
    STORE = 5
    RESOURCES = 6
    INTERRUPTED = 130
    TERMINATED = 143


class OstError(Exception):
    """An error with a sentence for the user.

    Args:
        message: what happened, to which file. It follows "error: ", so it starts in lower case
            and has no full stop.
        hint: what to run or change next, in the same form; may be empty.
    """

    exit_code = ExitCode.BUG

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(OstError):
    """The command makes no sense as given."""

    exit_code = ExitCode.USAGE


class InputError(OstError):
    """A picture or a folder cannot be used."""

    exit_code = ExitCode.INPUT


class PictureError(InputError):
    """One picture cannot be read or written.

    Args:
        path: the picture.
        reason: why, in words that follow "because" or a colon.
    """

    def __init__(self, path: Path, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{path}: {reason}", hint=hint)
        self.path = path
        self.reason = reason


class TrainingFailedError(InputError):
    """Training diverged or collapsed more often than it may."""


class StoreError(OstError):
    """A model, an adaptation or the store cannot be used."""

    exit_code = ExitCode.STORE


class NotFoundError(StoreError):
    """There is no model or adaptation of that name."""


class DamagedError(StoreError):
    """A stored file is not what was written, or not what the architecture asks for."""


class BusyError(StoreError):
    """Another process is writing this model."""


class ResourceError(OstError):
    """Out of memory or disk."""

    exit_code = ExitCode.RESOURCES


class InterruptedRun(OstError):  # noqa: N818 - it reports a signal, not a fault
    """A signal stopped the run; the state was saved.

    Args:
        message: what was kept, and how to continue.
        terminated: SIGTERM (143) rather than SIGINT (130).
    """

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, message: str, *, hint: str = "", terminated: bool = False) -> None:
        super().__init__(message, hint=hint)
        if terminated:
            self.exit_code = ExitCode.TERMINATED
