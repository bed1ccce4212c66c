"""Phase II on one picture: prepared, run in memory, shown. `adapt` keeps it as an adaptation."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import torch
from PIL import Image
from torch import Tensor

from ostcli.config import AdaptConfig, Precision, ViewConfig
from ostcli.errors import UsageError
from ostcli.events import OnEvent, ignore_events
from ostcli.images.finish import photo_finish
from ostcli.images.sheet import contact_sheet
from ostcli.method.networks import NetworkPath, Networks
from ostcli.training.batches import Batch, Views
from ostcli.training.loop import Hooks, Training, run
from ostcli.training.phases import PhaseTwo
from ostcli.training.trainer import Trainer
from ostcli.workflows.finish import decide_filter
from ostcli.workflows.job import schedule_of
from ostcli.workflows.stored import Model
from ostcli.workflows.translator import Translator


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
        stroke_filter=stroke_filter_for(picture, model, config),
        views_b=views_of_b(model, config),
    )
    hooks = Hooks(
        save=lambda _: None,
        preview=lambda: None,
        should_stop=should_stop,
        on_event=on_event,
    )
    run([Training(model.name, trainer, batch, hooks)], schedule_of(config))
    return trainer.networks_for_use()


def prepare_adaptation(
    picture: Image.Image,
    model: Model,
    config: AdaptConfig,
    device: torch.device,
    *,
    precision: Precision,
    stroke_filter: float,
    views_b: Callable[[int], Tensor],
) -> tuple[Trainer[Networks], Callable[[int], Batch]]:
    """Return phase II at its first step: A's layers just born, B's as the model has them.

    Args:
        picture: the one picture of A. RGB, any size.
        model: what phase II starts from; left as it is.
        config: the settings.
        device: where to train.
        precision: what the settings' own has come to in an earlier run.
        stroke_filter: the same, of the filter through which E_A sees.
        views_b: the folder's views of a step; see `views_of_b`.
    """
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

    def batch(step: int) -> Batch:
        return {"a": views_a.batch(step), "b": views_b(step)}

    return trainer, batch


def views_of_b(model: Model, config: AdaptConfig) -> Callable[[int], Tensor]:
    """Return the folder's views by step; the last step's are kept for other examples.

    Raises:
        UsageError: the model carries no pictures of B.
    """
    if not len(model.folder_pictures):
        raise UsageError(
            f"{model.name} was exported without pictures, so it cannot adapt by itself",
            hint=f"run: ost adapt EXAMPLE --model {model.name} --data FOLDER",
        )
    view = replace(model.folder_view, size=config.view.size)
    views = Views(model.folder_pictures, view, config.num_views_b, (config.seed, 0))
    return lru_cache(maxsize=1)(views.batch)


def stroke_filter_for(picture: Image.Image, model: Model, config: AdaptConfig) -> float:
    """Return the strength of the filter through which E_A sees: as set, or as the example wants."""
    if config.stroke_filter is not None:
        return config.stroke_filter
    return decide_filter(picture, model.texture, model.config)


def preview_sheet(
    networks: Networks,
    example: Image.Image,
    of_b: Sequence[Image.Image],
    view: ViewConfig,
    title: str,
    precision: Precision,
) -> Image.Image:
    """Show the example along every path, without and with the finish, above some of B."""

    def row(
        image: Image.Image, recon: NetworkPath, there: NetworkPath, back: NetworkPath
    ) -> list[Image.Image]:
        def along(path: NetworkPath, source: Image.Image) -> Image.Image:
            return Translator(networks, path, view, precision=precision).network_pixels(source)

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
