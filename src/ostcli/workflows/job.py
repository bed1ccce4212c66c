"""One training of a stored model or adaptation: resume it, run it, keep it safe."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from ostcli.config import Config, NetworkConfig, Precision
from ostcli.errors import DamagedError, UsageError
from ostcli.events import Event, Note, OnEvent, PreviewReady, Saved, StepDone
from ostcli.method.networks import Networks, build_networks
from ostcli.store.library import Library
from ostcli.store.manifest import Kind, Manifest, Parent
from ostcli.store.tensors import check_tensors
from ostcli.training.batches import Batch
from ostcli.training.loop import Hooks, run
from ostcli.training.schedule import Schedule
from ostcli.training.trainer import Trainer
from ostcli.workflows.journal import Journal

PREVIEW = "preview.png"


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
        preview: a contact sheet from the weights for use.
        keepsake: pictures saved with the weights.
        facts: what else the manifest says.
    """

    name: str
    kind: Kind
    parent: Parent | None
    config: Config
    trainer: Trainer
    schedule: Schedule
    make_batch: Callable[[int], Batch]
    preview: Callable[[Networks], Image.Image]
    keepsake: Mapping[str, Tensor]
    facts: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What a training came to."""

    name: str
    path: Path
    """The folder of the model or adaptation."""
    step: int
    finished: bool
    """False when it was asked to stop early; the same call continues."""
    seconds: float
    """Time of the whole training, earlier runs included."""
    losses: Mapping[str, float]
    """Averages over the last steps."""
    preview: Path | None
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
    return _Running(job, library, on_event, should_stop).to_the_end()


class _Running:
    """One call of `run_job`."""

    def __init__(
        self, job: Job, library: Library, on_event: OnEvent, should_stop: Callable[[], bool]
    ) -> None:
        self.job = job
        self.library = library
        self.on_event = on_event
        self.should_stop = should_stop
        self.journal = Journal(library, job.name)
        self.seconds = 0.0

    def to_the_end(self) -> JobResult:
        self._resume()
        if not self._is_finished():
            self._train()
        preview = self.library.extra_path(self.job.name, PREVIEW)
        return JobResult(
            name=self.job.name,
            path=self.library.folder(self.job.name),
            step=self.job.trainer.step,
            finished=self._is_finished(),
            seconds=self.seconds,
            losses=self.journal.latest,
            preview=preview if preview.exists() else None,
            facts=self.library.manifest(self.job.name).facts,
        )

    def _is_finished(self) -> bool:
        return self.job.schedule.done(self.job.trainer.step, self.seconds) >= 1.0

    def _resume(self) -> None:
        """Bring the trainer to where an earlier run stopped, if there was one."""
        if not self.library.exists(self.job.name):
            return
        stored = self.library.open(self.job.name)
        if stored.warning:
            self.on_event(Note(text=stored.warning, warning=True))
        if not stored.has("state"):
            raise DamagedError(
                f"{self.job.name} has no training state, so it cannot be continued",
                hint="start over with --fresh, or use another --name",
            )
        load_trainer_state(self.job.trainer, stored.tensors("state"), self.job.name)
        self.seconds = float(stored.manifest.facts.get("seconds", 0.0))
        self.journal.latest = stored.manifest.facts.get("losses", {})

    def _train(self) -> None:
        hooks = Hooks(
            save=self._save,
            preview=self._preview,
            should_stop=self.should_stop,
            on_event=self._listen,
        )
        run(
            self.job.trainer,
            self.job.schedule,
            self.job.make_batch,
            hooks,
            name=self.job.name,
            seconds_before=self.seconds,
        )
        self._preview()

    def _listen(self, event: Event) -> None:
        if isinstance(event, StepDone):
            self.journal.step_done(event)
        self.on_event(event)

    def _save(self, seconds: float) -> None:
        self.seconds = seconds
        job, networks = self.job, self.job.trainer.networks_for_use().cpu()
        files = {"weights": networks.state_dict(), "state": job.trainer.state()}
        if not self.library.exists(job.name):
            files["keepsake"] = dict(job.keepsake)  # carried over by later saves
        facts = {
            **job.facts,
            "device": job.trainer.device.type,
            "precision": job.trainer.precision.value,
            "seconds": round(seconds, 1),
            "finished": self._is_finished(),
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
        )
        self.library.set_last(job.kind, job.name)
        self.on_event(
            Saved(name=job.name, step=job.trainer.step, path=self.library.folder(job.name))
        )

    def _preview(self) -> None:
        stream = BytesIO()
        self.job.preview(self.job.trainer.networks_for_use().cpu()).save(stream, "PNG")
        path = self.library.write_extra(self.job.name, PREVIEW, stream.getvalue())
        self.on_event(PreviewReady(path=path))


def load_trainer_state(trainer: Trainer, tensors: Mapping[str, Tensor], name: str) -> None:
    """Bring a trainer to a saved state.

    Raises:
        DamagedError: the tensors are not a state of such a trainer.
    """
    try:
        trainer.load_state(tensors)
    except (KeyError, ValueError, RuntimeError) as error:
        raise DamagedError(
            f"the training state of {name} does not fit its architecture",
            hint="start over with --fresh, or use another --name",
        ) from error


def settled_precision(library: Library, name: str, asked: Precision) -> Precision:
    """Return the precision that an earlier run of this training chose, else the one asked for."""
    if asked is Precision.AUTO and library.exists(name):
        stored = library.manifest(name).facts.get("precision", Precision.AUTO)
        return Precision(stored)
    return asked


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
    before, now = (_settled(values, settled) for values in (manifest.config, config.to_json()))
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


def load_networks(library: Library, name: str, network: NetworkConfig) -> Networks:
    """Build the networks of a stored model or adaptation with its weights for use.

    Raises:
        NotFoundError: there is no such model.
        DamagedError: the weights do not fit the architecture.
    """
    stored = library.open(name)
    networks = build_networks(network, with_domain_a=stored.manifest.kind == "adaptation")
    tensors = stored.tensors("weights")
    expected = {
        key: (tuple(tensor.shape), tensor.dtype) for key, tensor in networks.state_dict().items()
    }
    check_tensors(tensors, expected, path=library.folder(name))
    networks.load_state_dict(tensors)
    return networks.eval().requires_grad_(False)


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
