"""Show on standard error what long work reports: a bar on a terminal, else a line now and then."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ostcli.cli.render import Output, counted, duration
from ostcli.events import (
    Event,
    Note,
    PictureDone,
    PictureFailed,
    PicturesFound,
    PreviewReady,
    RolledBack,
    Saved,
    StepDone,
    TrainingPlanned,
)

if TYPE_CHECKING:
    from rich.progress import TaskID

LOSSES = ("rec_b", "rec_a", "cycle_a", "gan_ab", "patch_ab", "gram_ab")
"""Those shown, of the ones that a phase has."""
SMOOTHING = 0.05
"""Share of the newest step in the losses shown."""
SECONDS_PER_LINE = 10.0
SEPARATOR = " · "
BAR = 12
"""Characters of a bar."""
NUM_GAPS = 4
"""Characters between the columns of a bar, with one to spare."""


class Listener:
    """Tell of events in plain lines.

    Args:
        output: the command's.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self.last_step: StepDone | None = None
        self._losses: dict[str, float] = {}
        self._failed: list[PictureFailed] = []
        self._told: set[object] = set()
        self._spoke_at = -SECONDS_PER_LINE  # The first step is told at once.

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._list_failed()

    def __call__(self, event: Event) -> None:
        """Tell of an event."""
        match event:
            case StepDone():
                self.last_step = event
                self._average(event)
                self._step(event)
            case TrainingPlanned():
                self._losses = {}
                self._begin(event)
            case PicturesFound():
                self._output.say(_found(event))
                self._list_failed()
            case PictureFailed():
                self._failed.append(event)
            case PictureDone():
                self._picture(event)
            case PreviewReady():
                self._say_once(f"preview: {event.path}")
            case RolledBack():
                self._output.warn(
                    f"{event.name}: {event.reason} at step {event.from_step}; going on from step "
                    f"{event.to_step} at half the rate ({event.learning_rate:.1e})"
                )
            case Note():
                (self._output.warn if event.warning else self._output.say)(event.text)
            case Saved() if self._output.debug:
                self._output.say(f"saved {event.name} at step {event.step}")

    def _begin(self, plan: TrainingPlanned) -> None:
        if plan.name not in self._told:  # The same again and again with --adapt-each.
            self._told.add(plan.name)
            self._output.say(_planned(plan))

    def _step(self, event: StepDone) -> None:
        if event.step == event.num_steps or self._is_time():
            self._output.say(f"step {event.step} of {event.num_steps} · {self._state(event)}")

    def _picture(self, event: PictureDone) -> None:
        if event.index == event.num_pictures or self._is_time():
            self._output.say(f"picture {event.index} of {event.num_pictures}")

    def _state(self, event: StepDone) -> str:
        losses = [f"{name} {loss:.3f}" for name, loss in self._losses.items()]
        rate, left = f"{event.steps_per_second:.1f} steps/s", f"{duration(event.seconds_left)} left"
        return SEPARATOR.join([rate, left, *losses])

    def _average(self, event: StepDone) -> None:
        for name in LOSSES:
            if name in event.losses:
                before = self._losses.get(name, event.losses[name])
                self._losses[name] = before + SMOOTHING * (event.losses[name] - before)

    def _say_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._output.say(text)

    def _list_failed(self) -> None:
        for event in self._failed:
            self._output.fault(f"cannot use {event.path}: {event.reason}")
        self._failed.clear()

    def _is_time(self) -> bool:
        now = time.monotonic()
        if now - self._spoke_at < SECONDS_PER_LINE:
            return False
        self._spoke_at = now
        return True


class BarListener(Listener):
    """Draw a bar for each training and one for the pictures; sentences appear above."""

    def __init__(self, output: Output) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        super().__init__(output)
        self._bars: dict[str, TaskID] = {}
        self._training = ""
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=BAR),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            console=output.console,
            redirect_stdout=False,  # It would send results to standard error.
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()
        super().__exit__(kind, error, trace)

    def _begin(self, plan: TrainingPlanned) -> None:
        super()._begin(plan)
        self._training = plan.name
        self._draw(plan.name, plan.first_step, plan.num_steps, "")

    def _step(self, event: StepDone) -> None:
        self._draw(self._training, event.step, event.num_steps, self._state(event))

    def _picture(self, event: PictureDone) -> None:
        state = duration(event.seconds)
        self._draw("pictures", event.index, event.num_pictures, state)

    def _draw(self, name: str, done: int, total: int, state: str) -> None:
        room = self._output.console.width - BAR - len(f"{name}{done}/{total}") - NUM_GAPS
        while len(state) > room and SEPARATOR in state:
            state = state.rpartition(SEPARATOR)[0]
        values: dict[str, Any] = {"completed": done, "total": total, "state": state}
        if name in self._bars:
            self._progress.update(self._bars[name], **values)
        else:
            self._bars[name] = self._progress.add_task(name, **values)


def listen(output: Output) -> Listener:
    """Return the listener that suits the terminal."""
    console = output.console
    live = console.is_terminal and not console.is_dumb_terminal and not output.quiet
    return BarListener(output) if live else Listener(output)


def _found(event: PicturesFound) -> str:
    sizes = "{}×{}".format(*reversed(event.smallest))
    if event.largest != event.smallest:
        sizes += " to {}×{}".format(*reversed(event.largest))
    failed = f" ({event.num_failed} could not be read, named below)" if event.num_failed else ""
    return f"found {counted(event.num_pictures, 'picture')}, {sizes}{failed}"


def _planned(plan: TrainingPlanned) -> str:
    threads = counted(plan.num_threads, "thread")
    going_on = f", going on after step {plan.first_step}" if plan.first_step else ""
    return (
        f"{plan.name}: on the {plan.device}, {plan.precision}, {threads}: {plan.num_steps} steps "
        f"of {plan.seconds_per_step:.2g} s{going_on}, about {duration(plan.seconds)}"
    )
