"""What is asked of an experiment."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ostcli.config import FeatureNetwork, Preset


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to reproduce, of what, how long."""

    data: Path
    """The folder of the data sets."""
    out: Path
    """The folder for tables, plots and pictures; rows that are in it already stay."""
    runs: int = 200
    """Adaptations of digits for each row, each to a picture of its own."""
    seed: int = 0
    """All chance comes from it."""
    budget: float = 1.0
    """By what the steps of adaptations are multiplied; with 33 digits have the authors'."""
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

    def wants(self, name: str) -> bool:
        """Tell whether a row is asked for."""
        return not self.only or any(part.casefold() in name.casefold() for part in self.only)

    def has(self, key: str) -> bool:
        """Tell whether a task is asked for."""
        return not self.tasks or key in self.tasks
