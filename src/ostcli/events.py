"""What long work reports while it runs.

A workflow takes `on_event`, a function of one event; the command line draws the events, a program
may count or ignore them. Events are facts: frozen, without tensors, safe to keep.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

E = TypeVar("E")


@dataclass(frozen=True, kw_only=True)
class Note:
    """A sentence for the user that is neither an error nor a result."""

    text: str
    warning: bool = False


@dataclass(frozen=True, kw_only=True)
class PictureFailed:
    """A picture could not be used, or could not be made; the work goes on without it."""

    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class PicturesFound:
    """What a folder holds."""

    folder: Path
    num_pictures: int
    num_failed: int
    smallest: tuple[int, int]
    """Height and width in pixels of the picture of the smallest area."""
    largest: tuple[int, int]
    """Height and width in pixels of the picture of the largest area."""


@dataclass(frozen=True, kw_only=True)
class TrainingPlanned:
    """What a training will take, before its first step."""

    name: str
    device: str
    precision: str
    num_threads: int
    first_step: int
    num_steps: int
    seconds_per_step: float
    seconds: float
    """The estimated time to the end, from a short measurement."""


@dataclass(frozen=True, kw_only=True)
class StepDone:
    """One optimiser step is done."""

    step: int
    num_steps: int
    losses: Mapping[str, float]
    steps_per_second: float
    seconds_left: float


@dataclass(frozen=True, kw_only=True)
class PreviewReady:
    """A contact sheet was written."""

    path: Path


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A generation of a model or adaptation is safely on the disk."""

    name: str
    step: int
    path: Path


@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """Training went wrong; it continues from the last good state at a lower rate."""

    name: str
    """Of the model or adaptation."""
    reason: str
    from_step: int
    to_step: int
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class PictureDone:
    """A translated picture was written."""

    source: Path | None
    """None for standard input."""
    output: Path | None
    """None for standard output."""
    seconds: float
    """Since the event of the picture before it, or the beginning: pictures overlap."""
    index: int
    num_pictures: int


@dataclass(frozen=True, kw_only=True)
class PictureSkipped:
    """The output was there already."""

    source: Path
    output: Path


Event = (
    Note
    | PictureFailed
    | PicturesFound
    | TrainingPlanned
    | StepDone
    | PreviewReady
    | Saved
    | RolledBack
    | PictureDone
    | PictureSkipped
)
OnEvent = Callable[[Event], None]
OnStep = Callable[[int, int], None]
"""Told after each step of a training: steps done, steps in all."""


def ignore_events(event: Event) -> None:
    """Listen to nothing."""


def ignore_steps(step: int, num_steps: int) -> None:
    """Listen to nothing."""


@dataclass
class Collected:
    """A listener that keeps every event, for programs and tests."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of one kind, in the order that they came."""
        return [event for event in self.events if isinstance(event, kind)]
