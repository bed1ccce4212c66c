"""Phase I on a folder: `ost pretrain`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ostcli.config import DeviceChoice, Look, Medium, Preset, PretrainConfig
from ostcli.errors import UsageError
from ostcli.events import Note, OnEvent, ignore_events
from ostcli.images.folder import PictureFolder, open_folder, spread
from ostcli.images.keepsake import make_keepsake
from ostcli.images.sheet import contact_sheet, reduce_for_preview
from ostcli.images.texture import PAINTING, PHOTO_GAP_LIMIT, PHOTOGRAPH
from ostcli.method.architecture import build_networks
from ostcli.method.networks import Networks
from ostcli.presets import pretrain_preset
from ostcli.store.library import Library, store_root
from ostcli.store.manifest import Manifest, check_name, slug
from ostcli.training.batches import Batch, Views
from ostcli.training.device import choose_device, prepare_arithmetic
from ostcli.training.phases import PhaseOne
from ostcli.training.threads import using_threads
from ostcli.training.trainer import Trainer
from ostcli.workflows.finish import folder_texture
from ostcli.workflows.job import (
    Job,
    JobResult,
    check_same_settings,
    free_name,
    run_job,
    schedule_of,
    settled_precision,
)
from ostcli.workflows.stored import read_fact
from ostcli.workflows.translator import Translator
from ostcli.workflows.verdict import judge_model

MODEL = "model"
NUM_IN_PREVIEW = 6
BUDGET = ("steps", "minutes")
"""What a continued training may change."""


NOT_PHOTOGRAPHS = (
    "the folder looks painted or drawn, so all detail is learned anew, strokes included; "
    "--look structure is for maps, labels and drawings, --medium photograph for what looks painted "
    "and is not"
)
TEXTURE_OF = {Medium.PHOTOGRAPH: PHOTOGRAPH, Medium.PAINTING: PAINTING}
"""What stands for `folder_texture` where the medium is told."""


@dataclass(frozen=True, kw_only=True)
class FolderFacts:
    """What settings may depend on: the folder, and what it is trained on."""

    num_pictures: int
    texture: float
    """How far the pictures are from photographs: `folder_texture`, or as told."""
    on_gpu: bool = False
    """Whether the training has one."""
    begun: PretrainConfig | None = None
    """The settings of a training of the folder that is to go on: a later default is not for it, but
    its budget may be another."""

    @property
    def of_photographs(self) -> bool:
        """Whether they are photographs, in the median."""
        return self.texture <= PHOTO_GAP_LIMIT


@dataclass(frozen=True, kw_only=True)
class PretrainResult(JobResult):
    """What `pretrain` came to."""

    num_pictures: int
    failed: tuple[tuple[Path, str], ...]
    """The unusable pictures with the reason of each."""


def settings_for(facts: FolderFacts) -> PretrainConfig:
    """Return the default settings for a folder."""
    return pretrain_preset(
        num_pictures=facts.num_pictures,
        of_photographs=facts.of_photographs,
        on_gpu=facts.on_gpu,
        begun=facts.begun,
    )


def pretrain(
    folder: str | Path,
    config: PretrainConfig | Callable[[FolderFacts], PretrainConfig] = settings_for,
    *,
    name: str | None = None,
    medium: Medium = Medium.AUTO,
    fresh: bool = False,
    device: DeviceChoice = DeviceChoice.AUTO,
    threads: int | None = None,
    library: Library | None = None,
    on_event: OnEvent = ignore_events,
    should_stop: Callable[[], bool] = lambda: False,
) -> PretrainResult:
    """Learn the look of a folder: train phase I and save it as a named model.

    The same call again continues a training that was stopped, to the bit as if it had not been (on
    the CPU, with the same number of threads).

    Args:
        folder: pictures of the look, searched recursively.
        config: the settings, or a function that gives them for what is known of the folder.
        name: of the model; the folder's if None.
        medium: what the pictures are; AUTO looks at them.
        fresh: forget an earlier training of that name; its model stays until the first save.
        device: where to train.
        threads: that it computes on; None leaves their number to what other programs take.
        library: where models are kept; the user's if None.
        on_event: told of progress.
        should_stop: asked after each step; true saves and returns early.

    Raises:
        InputError: no usable picture.
        UsageError: the name belongs to a training of another folder or with other settings.
        StoreError: the store or the model in it cannot be used.
        TrainingFailedError: training diverged or collapsed again and again.
        ResourceError: out of memory or disk.

    Source: Benaim & Wolf 2018, phase I.
    """
    prepare_arithmetic()
    library = library or Library(store_root())
    folder = Path(folder)
    where, processor = folder.resolve(), choose_device(device)
    name = check_name(name or name_for(where, library))
    begun = _of_this_folder(library, name, where, fresh)  # Refused before pictures are decoded.
    texture = _known_texture(begun, medium)
    unknown = FolderFacts(
        num_pictures=1,
        texture=0.0 if texture is None else texture,
        on_gpu=processor.type != "cpu",
        begun=_settings_of(begun),
    )
    chosen = config if isinstance(config, PretrainConfig) else config(unknown)
    pictures = open_folder(folder, chosen.view, on_event)
    if texture is None:
        texture = folder_texture(pictures)
    facts = replace(unknown, num_pictures=len(pictures), texture=texture)
    if not isinstance(config, PretrainConfig):
        chosen = config(facts)
        judged = medium is Medium.AUTO and begun is None
        if judged and not facts.of_photographs and _learns_detail(chosen):
            on_event(Note(text=NOT_PHOTOGRAPHS))
    with library.lock(name), using_threads(threads):
        earlier = _earlier(library, name, where, chosen, pictures, fresh, on_event)
        job = _make_job(name, where, chosen, pictures, facts, processor, earlier)
        result = run_job(job, library, on_event, should_stop)
    return PretrainResult(**vars(result), num_pictures=len(pictures), failed=pictures.failed)


def _known_texture(begun: Manifest | None, medium: Medium) -> float | None:
    """Return the texture that a training began with, or that is told; None if it is to be seen."""
    told = TEXTURE_OF.get(medium)
    texture = begun.facts.get("texture") if begun is not None else None
    if begun is None or not isinstance(texture, float):
        return told
    if told is not None and (told > PHOTO_GAP_LIMIT) != (texture > PHOTO_GAP_LIMIT):
        taken = "paintings" if texture > PHOTO_GAP_LIMIT else "photographs"
        raise UsageError(
            f"the pictures of {begun.name} were taken for {taken} when it was begun",
            hint="use --fresh to train anew, or another --name",
        )
    return texture  # A few more pictures change no setting.


def _settings_of(begun: Manifest | None) -> PretrainConfig | None:
    if begun is not None:
        with suppress(ValueError, TypeError):  # Of a version to come: the settings will differ.
            return PretrainConfig.from_json(begun.config)
    return None


def _learns_detail(config: PretrainConfig) -> bool:
    """Tell whether our preset for a style leaves all detail to the network."""
    is_ours = config.preset is Preset.FAST and config.look is Look.STYLE
    return is_ours and not config.network.detail_radius


def name_for(folder: Path, library: Library) -> str:
    """Return the model of this folder if there is one, else a free name after the folder's."""
    return free_name(
        slug(folder.name), library, lambda manifest: manifest.facts.get("folder") == str(folder)
    )


def _earlier(
    library: Library,
    name: str,
    folder: Path,
    config: PretrainConfig,
    pictures: PictureFolder,
    fresh: bool,
    on_event: OnEvent,
) -> Manifest | None:
    """Return the training to go on with, if there is one; refuse what is not to be touched."""
    manifest = _of_this_folder(library, name, folder, fresh)
    if manifest is None:
        return None
    check_same_settings(manifest, config, budget=BUDGET)
    if manifest.facts.get("fingerprint") != pictures.fingerprint:
        seconds = read_fact(manifest, "seconds", float, 0.0)
        finished = schedule_of(config).done(manifest.current.step, seconds) >= 1.0
        then = "--fresh learns it anew" if finished else "going on with what is there now"
        on_event(
            Note(
                text=f"the pictures in {folder} have changed since {name} was begun; {then}",
                warning=True,
            )
        )
    return manifest


def _of_this_folder(library: Library, name: str, folder: Path, fresh: bool) -> Manifest | None:
    """Return the folder's training of that name, if it is to go on; refuse another's."""
    manifest = library.present(name, replacing=fresh)
    if manifest is None:
        return None
    if manifest.kind != MODEL:
        raise UsageError(f"the name {name} is taken by an adaptation", hint="choose another --name")
    if fresh:
        return None
    if manifest.facts.get("folder") != str(folder):
        raise UsageError(
            f"the name {name} is taken by {manifest.facts.get('folder', 'another folder')}",
            hint="choose another --name, or --fresh to replace it",
        )
    return manifest


def _make_job(
    name: str,
    folder: Path,
    config: PretrainConfig,
    pictures: PictureFolder,
    known: FolderFacts,
    device: torch.device,
    earlier: Manifest | None,
) -> Job:
    networks = build_networks(config.network, seed=config.seed).to(device)
    trainer = Trainer(
        networks,
        PhaseOne.begin(config),
        config.optim,
        seed=config.seed,
        precision=settled_precision(earlier, config.precision),
    )
    views = Views(pictures, config.view, config.optim.batch_size, (config.seed, 0))

    def batch(step: int) -> Batch:
        return {"b": views.batch(step)}

    shown = [reduce_for_preview(picture) for picture in spread(pictures, NUM_IN_PREVIEW)]
    facts: Mapping[str, Any] = {
        "folder": str(folder),
        "fingerprint": pictures.fingerprint,
        "num_pictures": len(pictures),
        "num_failed": len(pictures.failed),
        "texture": known.texture,
    }
    return Job(
        name=name,
        kind="model",
        parent=None,
        config=config,
        trainer=trainer,
        schedule=schedule_of(config),
        make_batch=batch,
        preview=lambda networks: _preview(networks, shown, config, name),
        judge=lambda networks: judge_model(networks, pictures, config, trainer.step),
        keepsake=make_keepsake(pictures, config.view, config.seed),
        facts=facts,
        continues=earlier is not None,
    )


def _preview(
    networks: Networks, originals: Sequence[Image.Image], config: PretrainConfig, name: str
) -> Image.Image:
    """Show pictures of the folder above their reconstructions."""
    reconstruct = Translator(networks, networks.reconstruct_bb, config.view).network_pixels
    return contact_sheet(
        [originals, [reconstruct(picture) for picture in originals]],
        columns=[""] * len(originals),
        row_labels=["picture of B", "T_BB"],
        title=f"{name}: what the model makes of its own folder",
    )
