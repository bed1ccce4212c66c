"""The log of a training: one JSON line of averaged losses every so many steps."""

import json
from collections.abc import Mapping

from ostcli.events import StepDone
from ostcli.store.library import Library
from ostcli.store.reading import LOG

STEPS_PER_LINE = 50


class Journal:
    """Average the losses of the steps; have a line for each stretch of `STEPS_PER_LINE`.

    The lines are written with each save, so that the log tells of what is kept.

    Args:
        library: where the model is.
        name: the model or adaptation.
        replace: begin a new log, in place of one that an earlier training left.
    """

    def __init__(self, library: Library, name: str, *, replace: bool) -> None:
        self._library = library
        self._name = name
        self._replace = replace
        self._sums: dict[str, float] = {}
        self._count = 0
        self._lines: list[str] = []
        self._latest: Mapping[str, float] = {}

    @property
    def latest(self) -> Mapping[str, float]:
        """The last averaged losses; those of the steps so far before the first line."""
        return self._latest or self._averages()

    def go_on_from(self, latest: Mapping[str, float]) -> None:
        """Take over the averaged losses of an earlier run."""
        self._latest = latest

    def step_done(self, event: StepDone) -> None:
        """Take in one step."""
        for name, loss in event.losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + loss
        self._count += 1
        if event.step % STEPS_PER_LINE == 0:
            self._latest = self._averages()
            self._lines.append(json.dumps({"step": event.step, **self._latest}))
            self._sums, self._count = {}, 0

    def write(self) -> None:
        """Write the lines that are not in the log yet.

        Raises:
            StoreError, ResourceError, OSError: the log cannot be written.
        """
        if self._replace:
            self._library.extra_path(self._name, LOG).unlink(missing_ok=True)
            self._replace = False
        if self._lines:
            self._library.append_extra(self._name, LOG, "\n".join(self._lines))
            self._lines.clear()

    def _averages(self) -> dict[str, float]:
        return {name: round(total / self._count, 5) for name, total in self._sums.items()}
