"""Ctrl-C and SIGTERM: the first asks the work to stop and save, the second stops at once."""

import os
import signal
from types import FrameType, TracebackType
from typing import Self

from ostcli.errors import InterruptedRun

STANDARD_ERROR = 2
NOTICE = b"\nstopping and saving; once more stops at once\n"


class StopSignal:
    """Say whether the work should stop, while the block runs. A workflow's `should_stop`.

    A signal that comes before the work has asked for the first time stops it at once, since there
    is nothing to save yet.

    Args:
        quiet: do not say that a signal was received.

    Raises:
        InterruptedRun: on leaving the block, if the work was stopped at once.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._received: int | None = None
        self._asked = False

    def __call__(self) -> bool:
        """Tell whether to stop."""
        self._asked = True
        return self._received is not None

    @property
    def terminated(self) -> bool:
        """Whether it was SIGTERM."""
        return self._received == signal.SIGTERM

    def __enter__(self) -> Self:
        self._before = {
            number: signal.signal(number, self._handle)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if isinstance(error, KeyboardInterrupt):
            raise InterruptedRun(
                "stopped at once; what was saved before is kept", terminated=self.terminated
            ) from None

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        again = self._received is not None
        self._received = number
        if again or not self._asked:
            raise KeyboardInterrupt
        if not self._quiet:
            os.write(STANDARD_ERROR, NOTICE)  # A handler must not use the buffers.
