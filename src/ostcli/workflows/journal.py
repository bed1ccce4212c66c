"""The log of a training: one JSON line of averaged losses every so many steps."""

import json
from collections.abc import Mapping

from ostcli.events import StepDone
from ostcli.store.library import Library

LOG = "log.jsonl"
STEPS_PER_LINE = 50


class Journal:
    """Average the losses of the steps; write a line for each stretch of `STEPS_PER_LINE`.

    Args:
        library: where the model is.
        name: the model or adaptation.
    """

    def __init__(self, library: Library, name: str) -> None:
        self._library = library
        self._name = name
        self._sums: dict[str, float] = {}
        self._count = 0
        self.latest: Mapping[str, float] = {}
        """The last averaged losses."""

    def step_done(self, event: StepDone) -> None:
        """Take in one step."""
        for name, loss in event.losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + loss
        self._count += 1
        if event.step % STEPS_PER_LINE == 0:
            self._write(event.step)

    def _write(self, step: int) -> None:
        self.latest = {name: round(total / self._count, 5) for name, total in self._sums.items()}
        self._sums, self._count = {}, 0
        line = json.dumps({"step": step, **self.latest})
        self._library.append_extra(self._name, LOG, line + "\n")
