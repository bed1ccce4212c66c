"""Phase II on examples, each kept as an adaptation: `ost adapt`."""

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ostcli.config import AdaptConfig, DeviceChoice, Finish
from ostcli.errors import BusyError, OstError, PictureError, UsageError
from ostcli.events import OnEvent, ignore_events
from ostcli.images.folder import spread
from ostcli.images.keepsake import to_bytes_tensor
from ostcli.images.read import read_picture
from ostcli.images.sheet import reduce_for_preview
from ostcli.presets import adapt_preset
from ostcli.store.durable import sha256
from ostcli.store.library import Library, store_root
from ostcli.store.manifest import Kind, Manifest, check_name, slug
from ostcli.training.device import choose_device, prepare_arithmetic
from ostcli.training.threads import using_threads
from ostcli.workflows.finish import decide_finish
from ostcli.workflows.job import (
    Job,
    JobResult,
    check_same_settings,
    free_name,
    run_jobs,
    schedule_of,
    settled_precision,
)
from ostcli.workflows.phase_two import (
    prepare_adaptation,
    preview_sheet,
    stroke_filter_for,
    views_of_b,
)
from ostcli.workflows.pretrain import BUDGET
from ostcli.workflows.stored import EXAMPLE_KEY, Model, open_model, read_fact
from ostcli.workflows.verdict import judge_adaptation

ADAPTATION: Kind = "adaptation"
NUM_OF_B_IN_PREVIEW = 3
MOST_TOGETHER = 8
"""Examples that step together at most: memory grows with each, speed only with the first few."""


@dataclass(frozen=True, kw_only=True)
class AdaptResult(JobResult):
    """What `adapt` came to."""

    model: str
    example: Path
    finish: Finish
    """What `--finish auto` means for this adaptation: PHOTO or NETWORK."""
    texture_gap: float | None
    """What decided it, see `decide_finish`; None where the look alone did."""
    stroke_filter: float
    """Strength of the filter through which E_A sees; see `decide_filter`."""


@dataclass(frozen=True, kw_only=True)
class AdaptedAll:
    """What `adapt_all` came to, in the order of the examples."""

    done: tuple[AdaptResult, ...]
    """A stop leaves some unfinished, and others out."""
    failed: tuple[tuple[Path, OstError], ...]
    """Examples that could not be adapted to, and why."""


class ExampleRefusedError(UsageError):
    """An earlier training is in the way of one example; others may be adapted to."""


def settings_for(model: Model) -> AdaptConfig:
    """Return the default settings for a model."""
    return adapt_preset(model.config, num_pictures=model.num_pictures)


def adapt(
    example: str | Path,
    config: AdaptConfig | Callable[[Model], AdaptConfig] = settings_for,
    *,
    model: str | Path | None = None,
    name: str | None = None,
    data: str | Path | None = None,
    fresh: bool = False,
    device: DeviceChoice = DeviceChoice.AUTO,
    threads: int | None = None,
    library: Library | None = None,
    on_event: OnEvent = ignore_events,
    should_stop: Callable[[], bool] = lambda: False,
) -> AdaptResult:
    """Fit one picture of A: train phase II and save it as a named adaptation.

    The same call again continues one that was stopped.

    Args:
        example: the one picture of A.
        config: the settings, or a function that gives them for a model.
        model: a name or the path of an exported file; the model used last if None.
        name: of the adaptation; the model's and the example's joined by "+", and a number if that
            is taken by another example, if None.
        data: a folder of B in place of the pictures that the model carries.
        fresh: forget an earlier training of that name; its result stays until the first save.
        device: where to train.
        threads: that it computes on; None leaves their number to what other programs take.
        library: where models are kept; the user's if None.
        on_event: told of progress.
        should_stop: asked after each step; true saves and returns early.

    Raises:
        PictureError: the example cannot be read.
        NotFoundError, UsageError, DamagedError: see `open_model`.
        ExampleRefusedError: the name belongs to another training.
        TrainingFailedError, ResourceError: see `ostcli.training.loop.run`.

    Source: Benaim & Wolf 2018, phase II.
    """
    result = adapt_all(
        [example],
        config,
        model=model,
        name=name,
        data=data,
        fresh=fresh,
        device=device,
        threads=threads,
        library=library,
        on_event=on_event,
        should_stop=should_stop,
    )
    for _, error in result.failed:
        raise error
    return result.done[0]


def adapt_all(
    examples: Sequence[str | Path],
    config: AdaptConfig | Callable[[Model], AdaptConfig] = settings_for,
    *,
    model: str | Path | None = None,
    name: str | None = None,
    data: str | Path | None = None,
    fresh: bool = False,
    device: DeviceChoice = DeviceChoice.AUTO,
    threads: int | None = None,
    library: Library | None = None,
    on_event: OnEvent = ignore_events,
    should_stop: Callable[[], bool] = lambda: False,
) -> AdaptedAll:
    """Fit several pictures of A, an adaptation each: what `adapt` does for one, in less time.

    Those whose settings leave the folder alone take their steps together (decision 0039); the
    others follow one another. One that cannot be used does not stop the others.

    Args:
        examples: each the one picture of an A.
        name: of the adaptation, where there is one example only.
        config, model, data, fresh, device, threads, library, on_event, should_stop: as of `adapt`.

    Raises:
        NotFoundError, UsageError, DamagedError: see `open_model`.
        UsageError: a name for several examples.
        ResourceError: see `ostcli.training.loop.run`.
    """
    paths = list({Path(one).resolve(): Path(one) for one in examples}.values())
    if name is not None and len(examples) > 1:
        raise UsageError(
            "--name goes with one example only", hint="leave it out, or adapt one after the other"
        )
    prepare_arithmetic()
    library = library or Library(store_root())
    processor = choose_device(device)
    outcomes: dict[Path, AdaptResult | OstError] = {}
    aim: _Aim | None = None
    for start in range(0, len(paths), MOST_TOGETHER):
        pictures = _read(paths[start : start + MOST_TOGETHER], outcomes)
        if pictures and aim is None:
            opened = open_model(
                None if model is None else str(model),
                library,
                data=None if data is None else Path(data),
                on_event=on_event,
            )
            chosen = config if isinstance(config, AdaptConfig) else config(opened)
            aim = _Aim(opened, chosen, processor, fresh, views_of_b(opened, chosen))
        if pictures and aim is not None:
            with using_threads(threads):
                outcomes |= _adapt_together(pictures, name, aim, library, on_event, should_stop)
        if should_stop():
            break
    if aim is not None:
        library.set_last("model", aim.model.name)
    ordered = [(path, outcomes[path]) for path in paths if path in outcomes]
    return AdaptedAll(
        done=tuple(one for _, one in ordered if isinstance(one, AdaptResult)),
        failed=tuple((path, one) for path, one in ordered if isinstance(one, OstError)),
    )


@dataclass(frozen=True)
class _Aim:
    """What is the same for all examples."""

    model: Model
    config: AdaptConfig
    device: torch.device
    fresh: bool
    views_b: Callable[[int], Tensor]


def _read(
    paths: Sequence[Path], outcomes: dict[Path, AdaptResult | OstError]
) -> dict[Path, Image.Image]:
    """Return the pictures; what cannot be read becomes an outcome."""
    pictures = {}
    for path in paths:
        try:
            pictures[path] = read_picture(path).image
        except PictureError as error:
            outcomes[path] = error
    return pictures


def _adapt_together(
    pictures: Mapping[Path, Image.Image],
    name: str | None,
    aim: _Aim,
    library: Library,
    on_event: OnEvent,
    should_stop: Callable[[], bool],
) -> dict[Path, AdaptResult | OstError]:
    """Return what each came to, or what went wrong; without those that a stop left out."""
    paths: dict[str, Path] = {}
    for path in pictures:
        paths[check_name(name or name_for(path.resolve(), aim.model, library, paths))] = path
    outcomes: dict[Path, AdaptResult | OstError] = {}
    jobs: list[Job] = []
    with ExitStack() as locks:
        for each, path in sorted(paths.items()):  # In one order in every process.
            try:
                locks.enter_context(library.lock(each))
                earlier = _earlier(library, each, path.resolve(), aim)
            except (BusyError, ExampleRefusedError) as error:
                outcomes[path] = error
            else:
                jobs.append(_make_job(each, path.resolve(), pictures[path], aim, earlier))
        for each, outcome in run_jobs(jobs, library, on_event, should_stop).items():
            path = paths[each]
            if isinstance(outcome, JobResult):
                outcomes[path] = _result(outcome, aim.model.name, path.resolve(), library)
            else:
                outcomes[path] = outcome
    return outcomes


def _result(result: JobResult, model: str, example: Path, library: Library) -> AdaptResult:
    manifest = library.manifest(result.name)
    return AdaptResult(
        **vars(result),
        model=model,
        example=example,
        finish=read_fact(manifest, "finish", Finish),
        texture_gap=result.facts.get("texture_gap"),
        stroke_filter=read_fact(manifest, "stroke_filter", float, 0.0),
    )


def name_for(example: Path, model: Model, library: Library, taken: Container[str] = ()) -> str:
    """Return the adaptation of this example if there is one, else a free name after both."""
    return free_name(
        slug(f"{model.name}+{example.stem}"),
        library,
        lambda manifest: manifest.facts.get("example") == str(example),
        taken,
    )


def _earlier(library: Library, name: str, example: Path, aim: _Aim) -> Manifest | None:
    """Return the training to go on with, if there is one.

    Raises:
        ExampleRefusedError: what has the name is not to be touched.
    """
    manifest = library.present(name, replacing=aim.fresh)
    if manifest is None:
        return None
    if manifest.kind != ADAPTATION:
        raise ExampleRefusedError(
            f"the name {name} is taken by a model", hint="choose another --name"
        )
    if aim.fresh:
        return None
    if manifest.facts.get("example") != str(example):
        raise ExampleRefusedError(
            f"the name {name} is taken by {manifest.facts.get('example', 'another example')}",
            hint="choose another --name, or --fresh to replace it",
        )
    if manifest.facts.get("fingerprint") != sha256(example.read_bytes()):
        raise ExampleRefusedError(
            f"{example} has changed since {name} was begun",
            hint="use --fresh to adapt anew, or another --name",
        )
    if manifest.parent is None or manifest.parent.sha256 != aim.model.parent.sha256:
        raise ExampleRefusedError(
            f"{name} was begun from another state of {aim.model.name}",
            hint="use --fresh to adapt anew, or another --name",
        )
    try:
        check_same_settings(manifest, aim.config, budget=BUDGET)
    except UsageError as error:
        raise ExampleRefusedError(error.message, hint=error.hint) from error
    return manifest


def _make_job(
    name: str, example: Path, picture: Image.Image, aim: _Aim, earlier: Manifest | None
) -> Job:
    model, config = aim.model, aim.config
    stroke_filter = _settled_filter(earlier, config, picture, model)
    trainer, batch = prepare_adaptation(
        picture,
        model,
        config,
        aim.device,
        precision=settled_precision(earlier, config.precision),
        stroke_filter=stroke_filter,
        views_b=aim.views_b,
    )
    data = example.read_bytes()
    decided = decide_finish(picture, model.texture, model.config.look)
    shown = reduce_for_preview(picture)
    of_b = [reduce_for_preview(one) for one in spread(model.folder_pictures, NUM_OF_B_IN_PREVIEW)]
    facts: Mapping[str, Any] = {
        "example": str(example),
        "fingerprint": sha256(data),
        "model": model.name,
        "model_folder": model.folder,
        "model_config": model.config.to_json(),
        "stroke_filter": stroke_filter,
    }
    return Job(
        name=name,
        kind=ADAPTATION,
        parent=model.parent,
        config=config,
        trainer=trainer,
        schedule=schedule_of(config),
        make_batch=batch,
        preview=lambda networks: preview_sheet(
            networks, shown, of_b, model.config.view, name, trainer.precision
        ),
        judge=lambda networks: judge_adaptation(
            networks,
            model.networks,
            picture,
            model.folder_pictures,
            model.config,
            config,
            trainer.step,
            Finish(decided["finish"]),
            num_pictures=model.num_pictures,
        ),
        keepsake={EXAMPLE_KEY: to_bytes_tensor(data)},
        facts={**facts, **decided},
        continues=earlier is not None,
    )


def _settled_filter(
    earlier: Manifest | None, config: AdaptConfig, picture: Image.Image, model: Model
) -> float:
    """Return what a training was begun with, else what its settings or its example want."""
    if earlier is not None:
        return read_fact(earlier, "stroke_filter", float, 0.0)
    return stroke_filter_for(picture, model, config)
