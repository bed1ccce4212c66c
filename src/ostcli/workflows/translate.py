"""Pictures to pictures: `ost translate`."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import torch

from ostcli.config import (
    ADAPT_EACH_STEPS,
    AdaptConfig,
    DeviceChoice,
    Direction,
    Finish,
    PretrainConfig,
    adapt_preset,
)
from ostcli.errors import InputError, InterruptedRun, NotFoundError, PictureError, UsageError
from ostcli.events import (
    Note,
    OnEvent,
    PictureDone,
    PictureFailed,
    PictureSkipped,
    ignore_events,
)
from ostcli.images.encode import encode_picture, suffix_for_source
from ostcli.images.find import FoundPicture, find_pictures, plan_outputs
from ostcli.images.keepsake import bytes_of_tensor
from ostcli.images.read import Picture, read_picture
from ostcli.method.networks import Networks
from ostcli.store.durable import make_folder, write_file
from ostcli.store.library import Library, store_root
from ostcli.store.manifest import Manifest
from ostcli.training.device import choose_device, is_out_of_memory
from ostcli.workflows.adapt import (
    EXAMPLE_KEY,
    adapt_in_memory,
    open_model,
    read_config,
)
from ostcli.workflows.finish import decide_finish
from ostcli.workflows.job import load_networks
from ostcli.workflows.translator import Translator, path_to

TranslatorFor = Callable[[Picture], Translator]
"""What a picture is translated by: one for all, or one made for it."""


@dataclass(frozen=True, kw_only=True)
class TranslateResult:
    """What a batch came to."""

    adaptation: str
    to: Direction
    finish: Finish
    """PHOTO or NETWORK; with `adapt_each` and AUTO, what was asked: it is decided per picture."""
    adapted_each: bool
    outputs: tuple[Path, ...]
    """What was written, in the order of the inputs."""
    skipped: tuple[Path, ...]
    """Outputs that were there already."""
    failed: tuple[tuple[Path, str], ...]
    """The inputs that could not be translated, with the reason of each."""
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """An adaptation, opened: what translation needs."""

    name: str
    networks: Networks
    model_config: PretrainConfig
    config: AdaptConfig
    finish: Finish
    """What AUTO means for it."""
    example: FoundPicture
    example_bytes: bytes | None
    """The example's file; None in an adaptation that was exported without pictures."""


def translate(
    inputs: Sequence[Path] = (),
    *,
    to: Direction,
    adaptation: str | None = None,
    out: Path | None = None,
    finish: Finish = Finish.AUTO,
    strength: float = 1.0,
    suffix: str | None = None,
    overwrite: bool = False,
    adapt_each: bool = False,
    steps: int = ADAPT_EACH_STEPS,
    device: DeviceChoice = DeviceChoice.AUTO,
    library: Library | None = None,
    on_event: OnEvent = ignore_events,
    should_stop: Callable[[], bool] = lambda: False,
) -> TranslateResult:
    """Translate pictures and write each, at its own size, into a folder.

    Args:
        inputs: files and folders; the example itself if empty.
        to: B: into the folder's look; A: into the example's.
        adaptation: a name; the one used last if None.
        out: where to write; "translated-B" or "translated-A" below the working directory if None.
        finish: what is done with the network's pixels.
        strength: 0 gives the source, 1 the translation.
        suffix: format of the outputs, such as ".png"; that of each input if None.
        overwrite: write again what is there already.
        adapt_each: adapt to every input by itself before it is translated (the paper's own use).
        steps: of each such adaptation.
        device: where to compute.
        library: where models are kept; the user's if None.
        on_event: told of each picture.
        should_stop: asked between pictures and between steps.

    Raises:
        NotFoundError: there is no adaptation.
        InputError: an input is missing, two outputs would collide, or one would be an input.
        InterruptedRun: a stop was asked for; whatever was written is whole.
        StoreError, ResourceError: an output cannot be written.
    """
    library = library or Library(store_root())
    start = time.monotonic()
    opened = open_adaptation(adaptation, library)
    found = find_pictures(inputs) if inputs else [opened.example]
    outputs = plan_outputs(
        found, out or Path(f"translated-{to}"), lambda path: suffix or suffix_for_source(path)
    )
    if adapt_each and to is Direction.A:
        raise UsageError(
            "--adapt-each makes an input the example of A, so it goes with --to B only",
            hint="leave out --adapt-each, or use --to B",
        )
    where = choose_device(device)
    translator_for: TranslatorFor = _shared(opened, to, finish, strength, where)
    if adapt_each:
        translator_for = _adapted_each(
            opened, library, finish, strength, where, steps, should_stop, on_event
        )
    elif any(picture.path != opened.example.path for picture in found):
        on_event(
            Note(
                text=f"all pictures go through {opened.name}, adapted to "
                f"{opened.example.path.name}; --adapt-each adapts to each one first and is better"
            )
        )
    written: list[Path] = []
    skipped: list[Path] = []
    failed: list[tuple[Path, str]] = []
    for index, (picture, output) in enumerate(zip(found, outputs, strict=True), start=1):
        if output.exists() and not overwrite:
            skipped.append(output)
            on_event(PictureSkipped(source=picture.path, output=output))
            continue
        began = time.monotonic()
        try:
            source = _read(picture, opened, is_example=not inputs)
            data = _encoded(source, translator_for(source), output.suffix)
        except InputError as error:
            reason = error.reason if isinstance(error, PictureError) else error.message
            failed.append((picture.path, reason))
            on_event(PictureFailed(path=picture.path, reason=reason))
            continue
        if should_stop():
            raise InterruptedRun(
                f"stopped after {len(written)} of {len(found)} pictures",
                hint="the same command goes on with those that are missing",
            )
        make_folder(output.parent)
        write_file(output, data)
        written.append(output)
        on_event(
            PictureDone(
                source=picture.path,
                output=output,
                seconds=time.monotonic() - began,
                index=index,
                num_pictures=len(found),
            )
        )
    return TranslateResult(
        adaptation=opened.name,
        to=to,
        finish=opened.finish if finish is Finish.AUTO and not adapt_each else finish,
        adapted_each=adapt_each,
        outputs=tuple(written),
        skipped=tuple(skipped),
        failed=tuple(failed),
        seconds=time.monotonic() - start,
    )


def translate_stream(
    source: BinaryIO,
    *,
    to: Direction,
    adaptation: str | None = None,
    finish: Finish = Finish.AUTO,
    strength: float = 1.0,
    suffix: str = ".png",
    device: DeviceChoice = DeviceChoice.AUTO,
    library: Library | None = None,
) -> bytes:
    """Translate one picture from a stream and return the encoded result.

    Raises:
        PictureError: the stream holds no picture that can be read.
        NotFoundError: there is no adaptation.
    """
    library = library or Library(store_root())
    opened = open_adaptation(adaptation, library)
    translator = _shared(opened, to, finish, strength, choose_device(device))
    picture = read_picture(source)
    return _encoded(picture, translator(picture), suffix)


def open_adaptation(name: str | None, library: Library) -> Adaptation:
    """Open an adaptation with its weights; the one used last if no name is given.

    Raises:
        NotFoundError: there is none.
        UsageError: the name is that of a model.
        DamagedError: the stored files are not what was written.
    """
    chosen = name or library.last("adaptation")
    if chosen is None:
        raise NotFoundError(
            "there is no adaptation yet",
            hint="run: ost adapt EXAMPLE, after ost pretrain FOLDER",
        )
    stored = library.open(chosen)
    if stored.manifest.kind != "adaptation":
        raise UsageError(
            f"{chosen} is a model that has not seen any example yet",
            hint=f"run: ost adapt EXAMPLE --model {chosen}",
        )
    model_config = _model_config(stored.manifest)
    example = Path(stored.manifest.facts["example"])
    return Adaptation(
        name=chosen,
        networks=load_networks(library, chosen, model_config.network),
        model_config=model_config,
        config=read_config(AdaptConfig, stored.manifest),
        finish=Finish(stored.manifest.facts["finish"]),
        example=FoundPicture(path=example, relative=Path(example.name)),
        example_bytes=(
            bytes_of_tensor(stored.tensors("keepsake")[EXAMPLE_KEY])
            if stored.has("keepsake")
            else None
        ),
    )


def _model_config(manifest: Manifest) -> PretrainConfig:
    return PretrainConfig.from_json(manifest.facts["model_config"])


def _shared(
    adaptation: Adaptation,
    to: Direction,
    finish: Finish,
    strength: float,
    device: torch.device,
) -> TranslatorFor:
    """Send every picture through the one adaptation."""
    networks = adaptation.networks.to(device)
    translator = Translator(
        networks,
        path_to(networks, to),
        adaptation.model_config.view,
        finish=adaptation.finish if finish is Finish.AUTO else finish,
        strength=strength,
    )
    return lambda _: translator


def _adapted_each(
    adaptation: Adaptation,
    library: Library,
    finish: Finish,
    strength: float,
    device: torch.device,
    steps: int,
    should_stop: Callable[[], bool],
    on_event: OnEvent,
) -> TranslatorFor:
    """Adapt the adaptation's model to every picture before it is translated to B."""
    model = open_model(parent_of(adaptation, library), library)
    config = adapt_preset(model.config, num_pictures=model.num_pictures)
    config = replace(config, steps=steps, minutes=None)

    def translator_for(picture: Picture) -> Translator:
        networks = adapt_in_memory(picture.image, model, config, device, on_event, should_stop)
        decided = finish
        if finish is Finish.AUTO:
            facts = decide_finish(picture.image, model.folder_pictures, model.config.look)
            decided = Finish(facts["finish"])
        return Translator(
            networks,
            networks.translate_ab,
            model.config.view,
            finish=decided,
            strength=strength,
        )

    return translator_for


def parent_of(adaptation: Adaptation, library: Library) -> str:
    """Return the name of the model that an adaptation was made from.

    Raises:
        NotFoundError: the model is gone.
    """
    manifest = library.manifest(adaptation.name)
    found = library.find_parent(manifest)
    if found is None and manifest.parent and manifest.parent.name in library.names("model"):
        found = manifest.parent.name  # trained on since: still the same look
    if found is None:
        raise NotFoundError(
            f"the model of {adaptation.name} is gone, and adapting needs it",
            hint="leave out --adapt-each, or import the model again",
        )
    return found


def _read(picture: FoundPicture, adaptation: Adaptation, *, is_example: bool) -> Picture:
    """Read an input; the example itself comes from the adaptation, in case its file has moved."""
    if is_example and adaptation.example_bytes is not None:
        return read_picture(BytesIO(adaptation.example_bytes))
    return read_picture(picture.path)


def _encoded(source: Picture, translator: Translator, suffix: str) -> bytes:
    try:
        result = translator.translate(source.image)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        where = source.path or Path("the picture")
        raise PictureError(where, "not enough memory to translate it") from error
    return encode_picture(result, suffix, alpha=source.alpha, exif=source.exif)
