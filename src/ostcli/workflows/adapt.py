"""Phase II on one example: `ost adapt`; in memory too, for `ost translate --adapt-each`."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from PIL import Image
from torch import Tensor

from ostcli.config import AdaptConfig, DeviceChoice, Finish, PretrainConfig, adapt_preset
from ostcli.errors import DamagedError, NotFoundError, UsageError
from ostcli.events import OnEvent, ignore_events
from ostcli.images.finish import photo_finish
from ostcli.images.folder import open_folder, reduce_to_working_size, spread
from ostcli.images.keepsake import open_keepsake, to_bytes_tensor
from ostcli.images.read import read_picture
from ostcli.images.sheet import contact_sheet
from ostcli.method.augment import Pictures
from ostcli.method.networks import Networks
from ostcli.store.durable import sha256
from ostcli.store.exchange import import_file
from ostcli.store.library import Library, store_root
from ostcli.store.manifest import Manifest, Parent, check_name, slug
from ostcli.training.batches import Batch, Views
from ostcli.training.device import choose_device, prepare_arithmetic
from ostcli.training.loop import Hooks, run
from ostcli.training.phases import PhaseTwo
from ostcli.training.schedule import Schedule
from ostcli.training.trainer import Trainer
from ostcli.workflows.finish import decide_finish
from ostcli.workflows.job import (
    Job,
    JobResult,
    check_same_settings,
    load_networks,
    run_job,
    settled_precision,
)
from ostcli.workflows.pretrain import BUDGET
from ostcli.workflows.translator import Translator

C = TypeVar("C", PretrainConfig, AdaptConfig)

EXAMPLE_KEY = "example"
"""The tensor of an adaptation's keepsake that holds the example's file."""
NUM_OF_B_IN_PREVIEW = 3


@dataclass(frozen=True, kw_only=True)
class AdaptResult(JobResult):
    """What `adapt` came to."""

    model: str
    example: Path
    finish: Finish
    """What `--finish auto` means for this adaptation: PHOTO or NETWORK."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model of phase I, opened: what phase II starts from."""

    name: str
    config: PretrainConfig
    networks: Networks
    folder_pictures: Pictures
    """Pictures of B: the keepsake, or a folder given in its place; none if it carries none."""
    num_pictures: int
    """Pictures of the folder that the model was trained on."""
    parent: Parent


def open_model(
    reference: str | None,
    library: Library,
    *,
    data: Path | None = None,
    on_event: OnEvent = ignore_events,
) -> Model:
    """Open a model with its weights and its pictures of B.

    Args:
        reference: a name, or the path of an exported file, which is imported first; the model that
            was used last if None.
        library: where models are kept.
        data: a folder of B to use in place of the model's keepsake.
        on_event: told of what is in `data`.

    Raises:
        NotFoundError: there is no such model, or none at all.
        UsageError: the name is that of an adaptation.
        DamagedError: the stored files are not what was written.
    """
    name = find_model(reference, library)
    stored = library.open(name)
    if stored.manifest.kind != "model":
        raise UsageError(f"{name} is an adaptation, not a model", hint="run: ost models")
    config = read_config(PretrainConfig, stored.manifest)
    pictures: Pictures = []
    if data is not None:
        pictures = open_folder(data, config.view, on_event)
    elif stored.has("keepsake"):
        pictures = open_keepsake(stored.tensors("keepsake"))
    return Model(
        name=name,
        config=config,
        networks=load_networks(library, name, config.network),
        folder_pictures=pictures,
        num_pictures=int(stored.manifest.facts.get("num_pictures", 0)),
        parent=Parent(name=name, sha256=stored.generation.files["weights"].sha256),
    )


def find_model(reference: str | None, library: Library) -> str:
    """Return the name of the model that is meant; import it first if it is an exported file."""
    if reference is None:
        last = library.last("model")
        if last is None:
            raise NotFoundError("there is no model yet", hint="run: ost pretrain FOLDER")
        return last
    path = Path(reference)
    if path.is_file():
        return import_file(library, path).name
    return reference


def read_config(kind: type[C], manifest: Manifest) -> C:
    """Return the settings of a stored training.

    Raises:
        DamagedError: the manifest holds other settings than this version knows.
    """
    try:
        return kind.from_json(manifest.config)
    except (ValueError, TypeError) as error:
        raise DamagedError(
            f"the settings of {manifest.name} cannot be used: {error}",
            hint="it may come from another version of ost; train it anew with --fresh",
        ) from error


def adapt(
    example: Path,
    config: AdaptConfig | Callable[[Model], AdaptConfig] = lambda model: adapt_preset(
        model.config, num_pictures=model.num_pictures
    ),
    *,
    model: str | None = None,
    name: str | None = None,
    data: Path | None = None,
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
        name: of the adaptation; the model's and the example's joined by "+" if None.
        data: a folder of B in place of the pictures that the model carries.
        fresh: forget an earlier training of that name.
        device: where to train.
        library: where models are kept; the user's if None.
        on_event: told of progress.
        should_stop: asked after each step; true saves and returns early.

    Raises:
        PictureError: the example cannot be read.
        NotFoundError, UsageError, DamagedError: see `open_model`.
        TrainingFailedError, ResourceError: see `ostcli.training.loop.run`.

    Source: Benaim & Wolf 2018, phase II.
    """
    library = library or Library(store_root())
    picture = read_picture(example).image
    opened = open_model(model, library, data=data, on_event=on_event)
    chosen = config if isinstance(config, AdaptConfig) else config(opened)
    where = example.resolve()
    name = check_name(name or slug(f"{opened.name}+{example.stem}"))
    with library.lock(name):
        if fresh and library.exists(name):
            library.remove(name)
        _check_continues(library, name, where, opened, chosen)
        precision = settled_precision(library, name, chosen.precision)
        settled = replace(chosen, precision=precision)
        job = _make_job(name, where, picture, opened, settled, choose_device(device))
        result = run_job(replace(job, config=chosen), library, on_event, should_stop)
    library.set_last("model", opened.name)
    return AdaptResult(
        **vars(result),
        model=opened.name,
        example=where,
        finish=Finish(result.facts.get("finish", Finish.NETWORK)),
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
    trainer, schedule, batch = prepare_adaptation(picture, model, config, device)
    hooks = Hooks(
        save=lambda _: None,
        preview=lambda: None,
        should_stop=should_stop,
        on_event=on_event,
    )
    run(trainer, schedule, batch, hooks, name=model.name)
    return trainer.networks_for_use()


def prepare_adaptation(
    picture: Image.Image, model: Model, config: AdaptConfig, device: torch.device
) -> tuple[Trainer, Schedule, Callable[[int], Batch]]:
    """Return phase II at its first step: A's layers just born, B's as the model has them.

    Raises:
        UsageError: the model carries no pictures of B.
    """
    if not len(model.folder_pictures):
        raise UsageError(
            f"{model.name} was exported without pictures, so it cannot adapt by itself",
            hint=f"run: ost adapt EXAMPLE --model {model.name} --data FOLDER",
        )
    prepare_arithmetic()
    networks = copy.deepcopy(model.networks).requires_grad_(True).train()
    networks.add_domain_a(config.birth, torch.Generator().manual_seed(config.seed))
    trainer = Trainer(
        networks.to(device),
        PhaseTwo.begin(config),
        config.optim,
        seed=config.seed,
        precision=config.precision,
    )
    views_a = Views([picture], config.view, config.optim.batch_size, (config.seed, 1))
    view_b = replace(model.config.view, size=config.view.size)
    views_b = Views(model.folder_pictures, view_b, config.optim.batch_size, (config.seed, 0))

    def batch(step: int) -> Batch:
        return {"a": views_a.batch(step), "b": views_b.batch(step)}

    schedule = Schedule(
        num_steps=config.steps,
        seconds=config.minutes and 60 * config.minutes,
        decay_share=config.optim.decay_share,
    )
    return trainer, schedule, batch


def _check_continues(
    library: Library, name: str, example: Path, model: Model, config: AdaptConfig
) -> None:
    if not library.exists(name):
        return
    manifest = library.manifest(name)
    if manifest.kind != "adaptation" or manifest.facts.get("example") != str(example):
        raise UsageError(
            f"the name {name} is taken by {manifest.facts.get('example', 'a model')}",
            hint="choose another --name, or --fresh to replace it",
        )
    if manifest.facts.get("fingerprint") != sha256(example.read_bytes()):
        raise UsageError(
            f"{example} has changed since {name} was begun",
            hint="use --fresh to adapt anew, or another --name",
        )
    if manifest.parent != model.parent:
        raise UsageError(
            f"{name} was begun from another state of {model.name}",
            hint="use --fresh to adapt anew, or another --name",
        )
    check_same_settings(manifest, config, budget=BUDGET)


def _make_job(
    name: str,
    example: Path,
    picture: Image.Image,
    model: Model,
    config: AdaptConfig,
    device: torch.device,
) -> Job:
    trainer, schedule, batch = prepare_adaptation(picture, model, config, device)
    data = example.read_bytes()
    facts: Mapping[str, Any] = {
        "example": str(example),
        "fingerprint": sha256(data),
        "model": model.name,
        "model_config": model.config.to_json(),
    }
    return Job(
        name=name,
        kind="adaptation",
        parent=model.parent,
        config=config,
        trainer=trainer,
        schedule=schedule,
        make_batch=batch,
        preview=lambda networks: preview_sheet(networks, picture, model, name),
        keepsake={EXAMPLE_KEY: to_bytes_tensor(data)},
        facts={
            **facts,
            **decide_finish(
                reduce_to_working_size(picture, model.config.view),
                model.folder_pictures,
                model.config.look,
            ),
        },
    )


def preview_sheet(
    networks: Networks, picture: Image.Image, model: Model, title: str
) -> Image.Image:
    """Show the example along every path, without and with the finish, above some of B."""
    view = model.config.view
    seen = reduce_to_working_size(picture, view)

    def along(path: Callable[[Tensor], Tensor], image: Image.Image) -> Image.Image:
        return Translator(networks, path, view).network_pixels(image)

    trans_ab = along(networks.translate_ab, seen)
    example_row = [
        seen,
        along(networks.reconstruct_aa, seen),
        trans_ab,
        along(lambda s: networks.translate_ba(networks.translate_ab(s)), seen),
        photo_finish(seen, seen, trans_ab),
    ]
    of_b = spread(model.folder_pictures, NUM_OF_B_IN_PREVIEW)
    rows: list[Sequence[Image.Image | None]] = [example_row]
    for image in of_b:
        trans_ba = along(networks.translate_ba, image)
        rows.append(
            [
                image,
                along(networks.reconstruct_bb, image),
                trans_ba,
                along(lambda s: networks.translate_ab(networks.translate_ba(s)), image),
                photo_finish(image, image, trans_ba),
            ]
        )
    return contact_sheet(
        rows,
        columns=["picture", "reconstructed", "translated", "there and back", "with finish"],
        row_labels=["x of A", *["B"] * len(of_b)],
        title=title,
    )
