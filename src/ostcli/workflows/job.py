"""One training of a stored model or adaptation: resume it, run it, keep it safe."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from ostcli.config import AdaptConfig, Config, Precision, PretrainConfig
from ostcli.errors import (
    DamagedError,
    OstError,
    ResourceError,
    StoreError,
    TrainingFailedError,
    UsageError,
)
from ostcli.events import Note, OnEvent, PreviewReady, Saved
from ostcli.method.networks import Networks
from ostcli.store.library import Library
from ostcli.store.manifest import Kind, Manifest, Parent
from ostcli.store.reading import PREVIEW
from ostcli.training.batches import Batch
from ostcli.training.loop import Hooks, Training, run
from ostcli.training.schedule import Schedule
from ostcli.training.stack import may_step_together
from ostcli.training.trainer import Trainer
from ostcli.workflows.journal import Journal
from ostcli.workflows.stored import open_stored, read_fact
from ostcli.workflows.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is trained, under which name, and how it is shown.

    Args:
        name: of the model or adaptation.
        kind: "model" or "adaptation".
        parent: of an adaptation.
        config: the run's settings, saved as they were given.
        trainer: at its beginning; `run_job` brings it to where an earlier run stopped.
        make_batch: the batch of a step.
        preview: a contact sheet from the weights for use, on the trainer's device.
        judge: whether these weights are likely to be good; asked when the training is done.
        keepsake: pictures saved with the weights.
        facts: what else the manifest says.
        continues: an earlier run of this very training; else whatever has the name is replaced, by
            the first save.
    """

    name: str
    kind: Kind
    parent: Parent | None
    config: Config
    trainer: Trainer[Networks]
    schedule: Schedule
    make_batch: Callable[[int], Batch]
    preview: Callable[[Networks], Image.Image]
    judge: Callable[[Networks], Verdict]
    keepsake: Mapping[str, Tensor]
    facts: Mapping[str, Any]
    continues: bool


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What a training came to."""

    name: str
    path: Path
    """The folder of the model or adaptation."""
    step: int
    finished: bool
    """False when it was asked to stop early; the same call continues."""
    has_trained: bool
    """False when it was finished already, so that nothing was left to do."""
    seconds: float
    """Time of the whole training, earlier runs included."""
    losses: Mapping[str, float]
    """Averages over the last steps."""
    preview: Path | None
    verdict: Verdict | None
    """Whether the result is likely to be good; None when it was asked to stop early, or when the
    pictures to judge it by are gone."""
    facts: Mapping[str, Any]


def run_job(
    job: Job, library: Library, on_event: OnEvent, should_stop: Callable[[], bool]
) -> JobResult:
    """Train until the budget is used or a stop is asked for; every save is durable.

    The caller holds the lock of the name.

    Raises:
        TrainingFailedError, ResourceError: see `ostcli.training.loop.run`.
        DamagedError: the saved state does not fit the architecture.
    """
    outcome = run_jobs([job], library, on_event, should_stop)[job.name]
    if isinstance(outcome, OstError):
        raise outcome
    return outcome


def run_jobs(
    jobs: Sequence[Job], library: Library, on_event: OnEvent, should_stop: Callable[[], bool]
) -> dict[str, JobResult | OstError]:
    """Train several, those together that may step together; one that fails stops no other.

    Args:
        jobs: of one schedule. The caller holds the locks of their names.
        library: where they are kept.
        on_event: told of progress.
        should_stop: asked after each step; true saves and returns early.

    Returns:
        By name its result, or what went wrong: see `run_job`. Without those that a stop left out.

    Raises:
        ResourceError: see `ostcli.training.loop.run`.
    """
    outcomes: dict[str, JobResult | OstError] = {}
    resumed = []
    for job in jobs:
        running = _Running(job, library, on_event, should_stop)
        try:
            running.resume()
        except DamagedError as error:
            outcomes[job.name] = error
        else:
            resumed.append(running)
    for together in _grouped(resumed):
        outcomes |= _run_together(together)
        if should_stop():
            break
    return outcomes


def _grouped(runnings: Sequence["_Running"]) -> list[list["_Running"]]:
    """Put together what may step together."""
    groups: list[list[_Running]] = []
    for running in runnings:
        for group in groups:
            trainers = [one.job.trainer for one in (*group, running)]
            if may_step_together(trainers):
                group.append(running)
                break
        else:
            groups.append([running])
    return groups


def _run_together(group: Sequence["_Running"]) -> dict[str, JobResult | OstError]:
    failed: Mapping[str, OstError] = {}
    first = group[0]
    if not first.is_finished:
        trainings = [running.as_training() for running in group]
        try:
            failed = run(trainings, first.job.schedule, seconds_before=first.seconds)
        except TrainingFailedError as error:
            failed = {first.job.name: error}
    sound = (running for running in group if running.job.name not in failed)
    return {**failed, **{running.job.name: running.result() for running in sound}}


class _Running:
    """A job at work."""

    def __init__(
        self, job: Job, library: Library, on_event: OnEvent, should_stop: Callable[[], bool]
    ) -> None:
        self.job = job
        self.library = library
        self.on_event = on_event
        self.should_stop = should_stop
        self.journal = Journal(library, job.name, replace=not job.continues)
        self.seconds = 0.0
        self.is_saved = job.continues
        self.has_trained = False

    @property
    def is_finished(self) -> bool:
        return self.job.schedule.done(self.job.trainer.step, self.seconds) >= 1.0

    def as_training(self) -> Training:
        self.has_trained = True
        hooks = Hooks(
            save=self._save,
            preview=self._preview,
            should_stop=self.should_stop,
            on_event=self.on_event,
            on_step=self.journal.step_done,
        )
        return Training(self.job.name, self.job.trainer, self.job.make_batch, hooks)

    def result(self) -> JobResult:
        if self.has_trained:
            self._preview()
        self.library.set_last(self.job.kind, self.job.name)  # Also if nothing was left to do.
        preview = self.library.extra_path(self.job.name, PREVIEW)
        return JobResult(
            name=self.job.name,
            path=self.library.folder(self.job.name),
            step=self.job.trainer.step,
            finished=self.is_finished,
            has_trained=self.has_trained,
            seconds=self.seconds,
            losses=self.journal.latest,
            preview=preview if preview.exists() else None,
            verdict=self._verdict(),
            facts=self.library.manifest(self.job.name).facts,
        )

    def _verdict(self) -> Verdict | None:
        if not self.is_finished:
            return None
        try:
            return self.job.judge(self.job.trainer.networks_for_use())
        except (OSError, OstError, RuntimeError, MemoryError) as error:  # What is trained is safe.
            self.on_event(Note(text=f"no verdict: {error}", warning=True))
            return None

    def resume(self) -> None:
        """Bring the trainer to where an earlier run stopped, if there was one."""
        if not self.job.continues:
            return
        stored = open_stored(self.job.name, self.library, self.on_event)
        if not stored.has("state"):
            raise DamagedError(
                f"{self.job.name} has no training state, so it cannot be continued",
                hint="start over with --fresh, or use another --name",
            )
        load_trainer_state(self.job.trainer, stored.tensors("state"), self.job.name)
        seconds = read_fact(stored.manifest, "seconds", float, 0.0)
        newest, step = stored.manifest.current.step, self.job.trainer.step
        self.seconds = seconds * (step / newest) if newest else 0.0  # an older save may be used
        self.journal.go_on_from(read_fact(stored.manifest, "losses", dict, {}))

    def _save(self, seconds: float) -> None:
        self.seconds = seconds
        job, networks = self.job, self.job.trainer.networks_for_use().cpu()
        files = {"weights": networks.state_dict(), "state": job.trainer.state()}
        if not self.is_saved:
            files["keepsake"] = dict(job.keepsake)  # carried over by later saves
        facts = {
            **job.facts,
            "device": job.trainer.device.type,
            "precision": job.trainer.precision.value,
            "seconds": round(seconds, 1),
            "finished": self.is_finished,
            "losses": dict(self.journal.latest),
        }
        self.library.commit(
            job.name,
            kind=job.kind,
            config=job.config.to_json(),
            facts=facts,
            step=job.trainer.step,
            files=files,
            parent=job.parent,
            replaces=not self.is_saved,
        )
        self.is_saved = True
        self.library.set_last(job.kind, job.name)
        with self._told_if_it_fails("log"):
            self.journal.write()
        self.on_event(
            Saved(name=job.name, step=job.trainer.step, path=self.library.folder(job.name))
        )

    def _preview(self) -> None:
        if not self.is_saved and self.library.exists(self.job.name):
            return  # What has the name until the first save keeps its own preview.
        with self._told_if_it_fails("preview"):
            stream = BytesIO()
            self.job.preview(self.job.trainer.networks_for_use()).save(stream, "PNG")
            path = self.library.write_extra(self.job.name, PREVIEW, stream.getvalue())
            self.on_event(PreviewReady(path=path))

    @contextmanager
    def _told_if_it_fails(self, what: str) -> Iterator[None]:
        """Go on without what only people look at."""
        try:
            yield
        except (OSError, StoreError, ResourceError) as error:
            self.on_event(Note(text=f"no {what}: {error}", warning=True))


def schedule_of(config: PretrainConfig | AdaptConfig) -> Schedule:
    """Return the budget that a training's settings give."""
    return Schedule(
        num_steps=config.steps,
        seconds=config.minutes and 60 * config.minutes,
        decay_share=config.optim.decay_share,
    )


def load_trainer_state(
    trainer: Trainer[Networks], tensors: Mapping[str, Tensor], name: str
) -> None:
    """Bring a trainer to a saved state.

    Raises:
        DamagedError: the tensors are not a state of such a trainer.
    """
    try:
        trainer.load_state(tensors)
    except ValueError as error:
        raise DamagedError(
            f"the training state of {name} does not fit its architecture",
            hint="start over with --fresh, or use another --name",
        ) from error


def settled_precision(earlier: Manifest | None, asked: Precision) -> Precision:
    """Return the precision that an earlier run of this training chose, else the one asked for.

    Raises:
        DamagedError: the earlier run's is none that this version knows.
    """
    if asked is Precision.AUTO and earlier is not None:
        return read_fact(earlier, "precision", Precision, Precision.AUTO)
    return asked


def free_name(
    base: str,
    library: Library,
    is_this: Callable[[Manifest], bool],
    taken: Container[str] = (),
) -> str:
    """Return the name of what this training began, else a free one: base, base-2, base-3 ….

    Args:
        base: a valid name.
        library: where models are kept.
        is_this: tells by its manifest whether something belongs to this training.
        taken: names that are not in the library yet, but spoken for.
    """
    number, name = 1, base
    while name in taken or (library.exists(name) and not is_this(library.manifest(name))):
        number += 1
        name = f"{base}-{number}"
    return name


def check_same_settings(manifest: Manifest, config: Config, *, budget: Sequence[str]) -> None:
    """Refuse to continue a training with other settings than it began with.

    Args:
        manifest: of the earlier run.
        config: what is asked for now.
        budget: names of the fields that may differ, since a longer budget continues.

    Raises:
        UsageError: something differs; names what.
    """
    settled = manifest.facts.get("precision", Precision.AUTO)
    stored = dict(manifest.config)
    with suppress(ValueError, TypeError):  # Settings that were new since then have their defaults.
        stored = type(config).from_json(manifest.config).to_json()
    before, now = (_settled(values, settled) for values in (stored, config.to_json()))
    differing = sorted(
        name for name in before.keys() | now.keys() if before.get(name) != now.get(name)
    )
    changed = [name for name in differing if name not in budget]
    if changed:
        what = ", ".join(f"{name} {before.get(name)} → {now.get(name)}" for name in changed)
        raise UsageError(
            f"{manifest.name} was begun with other settings ({what})",
            hint="give the same options to continue it, --fresh to start over, or another --name",
        )


def _settled(values: Mapping[str, Any], precision: str) -> dict[str, Any]:
    """Name every setting, with the number format that AUTO came to in the earlier run."""
    flat = _flat(values)
    return flat | {"precision": precision} if flat.get("precision") == Precision.AUTO else flat


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
