"""Phase II on one example: `ost adapt`; in memory too, for `ost translate --adapt-each`."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ostcli.config import AdaptConfig, DeviceChoice, Finish, Precision, ViewConfig
from ostcli.errors import UsageError
from ostcli.events import OnEvent, ignore_events
from ostcli.images.finish import photo_finish
from ostcli.images.folder import spread
from ostcli.images.keepsake import to_bytes_tensor
from ostcli.images.read import read_picture
from ostcli.images.sheet import contact_sheet, reduce_for_preview
from ostcli.method.networks import Networks
from ostcli.presets import adapt_preset
from ostcli.store.durable import sha256
from ostcli.store.library import Library, store_root
from ostcli.store.manifest import Kind, Manifest, check_name, slug
from ostcli.training.batches import Batch, Views
from ostcli.training.device import choose_device, prepare_arithmetic
from ostcli.training.loop import Hooks, run
from ostcli.training.phases import PhaseTwo
from ostcli.training.trainer import Trainer
from ostcli.workflows.finish import decide_filter, decide_finish
from ostcli.workflows.job import (
    Job,
    JobResult,
    check_same_settings,
    free_name,
    run_job,
    schedule_of,
    settled_precision,
)
from ostcli.workflows.pretrain import BUDGET
from ostcli.workflows.stored import EXAMPLE_KEY, Model, open_model, read_fact
from ostcli.workflows.translator import Translator
from ostcli.workflows.verdict import judge_adaptation

ADAPTATION: Kind = "adaptation"
Along = Callable[[Tensor], Tensor]
"""A path through the networks: pictures (N, 3, H, W) to as many."""
NUM_OF_B_IN_PREVIEW = 3


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
    prepare_arithmetic()
    library = library or Library(store_root())
    where, processor = Path(example).resolve(), choose_device(device)
    picture = read_picture(Path(example)).image
    opened = open_model(
        None if model is None else str(model),
        library,
        data=None if data is None else Path(data),
        on_event=on_event,
    )
    chosen = config if isinstance(config, AdaptConfig) else config(opened)
    name = check_name(name or name_for(where, opened, library))
    with library.lock(name):
        try:
            earlier = _earlier(library, name, where, opened, chosen, fresh)
        except UsageError as error:
            raise ExampleRefusedError(error.message, hint=error.hint) from error
        job = _make_job(name, where, picture, opened, chosen, processor, earlier)
        result = run_job(job, library, on_event, should_stop)
    library.set_last("model", opened.name)
    return AdaptResult(
        **vars(result),
        model=opened.name,
        example=where,
        finish=read_fact(library.manifest(name), "finish", Finish),
        texture_gap=result.facts.get("texture_gap"),
        stroke_filter=read_fact(library.manifest(name), "stroke_filter", float, 0.0),
    )


def name_for(example: Path, model: Model, library: Library) -> str:
    """Return the adaptation of this example if there is one, else a free name after both."""
    return free_name(
        slug(f"{model.name}+{example.stem}"),
        library,
        lambda manifest: manifest.facts.get("example") == str(example),
    )


def adapt_in_memory(
    picture: Image.Image,
    model: Model,
    config: AdaptConfig,
    device: torch.device,
    on_event: OnEvent = ignore_events,
    should_stop: Callable[[], bool] = lambda: False,
) -> Networks:
    """Fit one picture and return the networks for use, on the device; nothing is stored.

    Args:
        picture: the one picture of A. RGB, any size.
        model: what phase II starts from; left as it is.
        config: the settings.
        device: where to train.
        on_event: told of progress.
        should_stop: asked after each step; true returns early.
    """
    trainer, batch = prepare_adaptation(
        picture,
        model,
        config,
        device,
        precision=config.precision,
        stroke_filter=_settled_filter(None, config, picture, model),
    )
    hooks = Hooks(
        save=lambda _: None,
        preview=lambda: None,
        should_stop=should_stop,
        on_event=on_event,
    )
    run(trainer, schedule_of(config), batch, hooks, name=model.name)
    return trainer.networks_for_use()


def prepare_adaptation(
    picture: Image.Image,
    model: Model,
    config: AdaptConfig,
    device: torch.device,
    *,
    precision: Precision,
    stroke_filter: float,
) -> tuple[Trainer, Callable[[int], Batch]]:
    """Return phase II at its first step: A's layers just born, B's as the model has them.

    Args:
        picture: the one picture of A. RGB, any size.
        model: what phase II starts from; left as it is.
        config: the settings.
        device: where to train.
        precision: what the settings' own has come to in an earlier run.
        stroke_filter: the same, of the filter through which E_A sees.

    Raises:
        UsageError: the model carries no pictures of B.
    """
    if not len(model.folder_pictures):
        raise UsageError(
            f"{model.name} was exported without pictures, so it cannot adapt by itself",
            hint=f"run: ost adapt EXAMPLE --model {model.name} --data FOLDER",
        )
    networks = copy.deepcopy(model.networks).requires_grad_(True).train()
    generator = torch.Generator().manual_seed(config.seed)
    networks.add_domain_a(config.birth, generator, stroke_filter=stroke_filter)
    trainer = Trainer(
        networks.to(device),
        PhaseTwo.begin(config),
        config.optim,
        seed=config.seed,
        precision=precision,
    )
    views_a = Views([picture], config.view, config.optim.batch_size, (config.seed, 1))
    view_b = replace(model.folder_view, size=config.view.size)
    views_b = Views(model.folder_pictures, view_b, config.num_views_b, (config.seed, 0))

    def batch(step: int) -> Batch:
        return {"a": views_a.batch(step), "b": views_b.batch(step)}

    return trainer, batch


def _earlier(
    library: Library, name: str, example: Path, model: Model, config: AdaptConfig, fresh: bool
) -> Manifest | None:
    """Return the training to go on with, if there is one; refuse what is not to be touched."""
    manifest = library.present(name, replacing=fresh)
    if manifest is None:
        return None
    if manifest.kind != ADAPTATION:
        raise UsageError(f"the name {name} is taken by a model", hint="choose another --name")
    if fresh:
        return None
    if manifest.facts.get("example") != str(example):
        raise UsageError(
            f"the name {name} is taken by {manifest.facts.get('example', 'another example')}",
            hint="choose another --name, or --fresh to replace it",
        )
    if manifest.facts.get("fingerprint") != sha256(example.read_bytes()):
        raise UsageError(
            f"{example} has changed since {name} was begun",
            hint="use --fresh to adapt anew, or another --name",
        )
    if manifest.parent is None or manifest.parent.sha256 != model.parent.sha256:
        raise UsageError(
            f"{name} was begun from another state of {model.name}",
            hint="use --fresh to adapt anew, or another --name",
        )
    check_same_settings(manifest, config, budget=BUDGET)
    return manifest


def _make_job(
    name: str,
    example: Path,
    picture: Image.Image,
    model: Model,
    config: AdaptConfig,
    device: torch.device,
    earlier: Manifest | None,
) -> Job:
    stroke_filter = _settled_filter(earlier, config, picture, model)
    trainer, batch = prepare_adaptation(
        picture,
        model,
        config,
        device,
        precision=settled_precision(earlier, config.precision),
        stroke_filter=stroke_filter,
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
        preview=lambda networks: preview_sheet(networks, shown, of_b, model.config.view, name),
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
    if config.stroke_filter is not None:
        return config.stroke_filter
    return decide_filter(picture, model.texture, model.config)


def preview_sheet(
    networks: Networks,
    example: Image.Image,
    of_b: Sequence[Image.Image],
    view: ViewConfig,
    title: str,
) -> Image.Image:
    """Show the example along every path, without and with the finish, above some of B."""

    def row(image: Image.Image, recon: Along, there: Along, back: Along) -> list[Image.Image]:
        def along(path: Along, source: Image.Image) -> Image.Image:
            return Translator(networks, path, view).network_pixels(source)

        translated = along(there, image)
        return [
            image,
            along(recon, image),
            translated,
            along(back, translated),
            photo_finish(image, image, translated),
        ]

    ab, ba = networks.translate_ab, networks.translate_ba
    rows = [row(example, networks.reconstruct_aa, ab, ba)]
    rows += [row(image, networks.reconstruct_bb, ba, ab) for image in of_b]
    return contact_sheet(
        rows,
        columns=["picture", "reconstructed", "translated", "there and back", "with finish"],
        row_labels=["x of A", *["B"] * len(of_b)],
        title=title,
    )
