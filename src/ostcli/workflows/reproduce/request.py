"""What is asked of an experiment."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ostcli.config import FeatureNetwork, Preset
from ostcli.errors import UsageError
from ostcli.events import Note, OnEvent

MOST_SEED = 2**40
"""Room for the seeds that are reckoned from it."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to reproduce, of what, how long."""

    data: Path
    """The folder of the data sets."""
    out: Path
    """The folder for tables, plots and pictures; rows that are in it already stay."""
    runs: int = 200
    """Adaptations for each row, each to a picture of its own; of pictures ten at most."""
    seed: int = 0
    """All chance comes from it."""
    budget: float = 1.0
    """By what the steps of trainings are multiplied; with 33.333 adaptations of digits have the
    authors'."""
    only: Sequence[str] = ()
    """Parts of the names of rows; all if empty."""
    tasks: Sequence[str] = ()
    """Directions of digits and tasks of pictures; all if empty."""
    download: bool = False
    """Whether to fetch the digits that are missing."""
    preset: Preset = Preset.FAST
    """For pictures: PAPER for the authors' network and lengths."""
    weights: Path | FeatureNetwork | None = None
    """Of the perceptual network, or one whose weights are to be fetched, for pictures' figures."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < MOST_SEED:
            raise UsageError(f"seed {self.seed} is too large", hint="use one below 2**40")
        if not 0 < self.budget < math.inf:
            text = f"a budget of {self.budget:g} is no number of steps"
            raise UsageError(text, hint="use one above 0, such as --budget 1")

    def chosen(self, names: Iterable[str], title: str, on_event: OnEvent) -> set[str]:
        """Return which of some rows are asked for; a whole name is that row alone.

        Args:
            names: of all rows of a table.
            title: of the table.
            on_event: told of each part that no row of it has.
        """
        every = set(names)
        if not self.only:
            return every
        chosen: set[str] = set()
        for part in self.only:
            named = rows_named(part, every)
            if not named:
                on_event(Note(text=f"{title} has no row {part!r}", warning=True))
            chosen |= named
        return chosen

    def has(self, key: str) -> bool:
        """Tell whether a task is asked for."""
        return not self.tasks or key in self.tasks


def rows_named(part: str, names: Iterable[str]) -> set[str]:
    """Return the rows whose names have a part, in upper or lower case; a whole name is that row."""
    key, folded = part.casefold(), {name.casefold(): name for name in names}
    return {folded[key]} if key in folded else {n for k, n in folded.items() if key in k}
