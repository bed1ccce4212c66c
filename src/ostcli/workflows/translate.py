"""Pictures to pictures: `ost translate`."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import torch

from ostcli.config import DeviceChoice, Direction, Finish, Precision, ViewConfig
from ostcli.errors import (
    InputError,
    OstError,
    UsageError,
)
from ostcli.events import (
    Note,
    OnEvent,
    PictureFailed,
    ignore_events,
)
from ostcli.images.encode import suffix_for_source
from ostcli.images.find import FoundPicture, find_pictures, plan_outputs, split_inputs
from ostcli.images.read import Picture, read_picture
from ostcli.store.durable import make_folder
from ostcli.store.library import Library, store_root
from ostcli.training.device import choose_device, prepare_arithmetic
from ostcli.training.precision import settle_precision
from ostcli.training.threads import using_threads
from ostcli.workflows.batch import (
    TranslatorFor,
    encoded,
    tell_of_each,
    translate_each,
    want_of_memory_named,
)
from ostcli.workflows.finish import decide_finish
from ostcli.workflows.phase_two import adapt_in_memory
from ostcli.workflows.stored import Adaptation, open_adaptation, open_model, parent_of
from ostcli.workflows.translator import Translator, path_to, view_of


@dataclass(frozen=True, kw_only=True)
class TranslateResult:
    """What a batch came to."""

    adaptation: str
    example: Path
    """What it was adapted to."""
    to: Direction
    finish: Finish
    """PHOTO or NETWORK; with `adapt_each` and AUTO, what was asked: it is decided per picture."""
    precision: Precision
    """FP32 or BF16."""
    adapted_each: bool
    outputs: tuple[Path, ...]
    """What was written, in the order of the inputs."""
    skipped: tuple[Path, ...]
    """Outputs that were there already."""
    failed: tuple[tuple[Path, str], ...]
    """The inputs that are missing or could not be translated, with the reason of each."""
    num_pictures: int
    """Of all inputs, those included that are missing or that a stop left out."""
    num_without_memory: int
    """Of those that failed, how many for want of memory."""
    stopped: bool
    """Whether a stop was asked for before the last picture; the same call goes on."""
    seconds: float


def translate(
    inputs: str | Path | Sequence[str | Path] = (),
    *,
    to: Direction,
    adaptation: str | None = None,
    out: str | Path | None = None,
    finish: Finish = Finish.AUTO,
    strength: float = 1.0,
    megapixels: float | None = None,
    suffix: str | None = None,
    overwrite: bool = False,
    adapt_each: bool = False,
    steps: int | None = None,
    device: DeviceChoice = DeviceChoice.AUTO,
    precision: Precision = Precision.AUTO,
    threads: int | None = None,
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
        megapixels: how many the network sees of a larger picture; what the model was made for, 1
            in `fast`, if None.
        suffix: format of the outputs, such as ".png"; that of each input if None.
        overwrite: write again what is there already.
        adapt_each: adapt to every input by itself before it is translated (the paper's own use).
        steps: of each such adaptation; as long as that of the example if None.
        device: where to compute.
        precision: number format of the networks; AUTO measures which one is faster. Adaptations by
            `adapt_each` train in the adaptation's own.
        threads: that it computes on; None leaves their number to what other programs take.
        library: where models are kept; the user's if None.
        on_event: told of each picture.
        should_stop: asked between pictures and between steps; true returns early. Whatever was
            written is whole.

    Raises:
        NotFoundError: there is no adaptation.
        UsageError: the adaptation is a model, `adapt_each` goes to A or has no pictures of B, or
            `megapixels` are fewer than a training view has.
        InputError: no input is a picture, two outputs would collide, or one would be an input.
        StoreError: `out` cannot be made.
        ResourceError: the disk is full.
    """
    if adapt_each and to is Direction.A:
        raise UsageError(
            "--adapt-each makes an input the example of A, so it goes with --to B only",
            hint="leave out --adapt-each, or use --to B",
        )
    prepare_arithmetic()
    library = library or Library(store_root())
    start = time.monotonic()
    given = [Path(one) for one in ([inputs] if isinstance(inputs, str | Path) else inputs)]
    folder, where = Path(out or f"translated-{to}"), choose_device(device)
    opened = _open_last(adaptation, library, on_event)
    view = view_of(opened.model_config.view, megapixels)
    found, missing = _find(given, folder, on_event) if given else ([opened.example], [])
    outputs = plan_outputs(found, folder, lambda path: suffix or suffix_for_source(path))
    precision = settle_precision(precision, where)
    translator_for: TranslatorFor
    if adapt_each:
        tell_of_each(len(found), on_event)
        translator_for = _adapted_each(
            opened,
            library,
            view,
            finish,
            strength,
            where,
            precision,
            steps,
            should_stop,
            on_event,
        )
    else:
        translator_for = _shared(opened, to, view, finish, strength, where, precision, on_event)
        if to is Direction.B and any(_is_another(picture, opened.example) for picture in found):
            on_event(Note(text=_advice(opened)))
    make_folder(folder)  # Before the work, so that no picture is translated in vain.
    with using_threads(threads):
        tally = translate_each(
            list(zip(found, outputs, strict=True)),
            view=view,
            read=lambda picture: _read(picture, opened, is_example=not given),
            translator_for=translator_for,
            overlap=not adapt_each,
            overwrite=overwrite,
            on_event=on_event,
            should_stop=should_stop,
        )
    return TranslateResult(
        adaptation=opened.name,
        example=opened.example.path,
        to=to,
        finish=opened.finish if finish is Finish.AUTO and not adapt_each else finish,
        precision=precision,
        adapted_each=adapt_each,
        outputs=tuple(tally.written),
        skipped=tuple(tally.skipped),
        failed=(*missing, *tally.failed),
        num_pictures=len(found) + len(missing),
        num_without_memory=tally.num_without_memory,
        stopped=tally.stopped,
        seconds=time.monotonic() - start,
    )


def translate_stream(
    source: BinaryIO,
    *,
    to: Direction,
    adaptation: str | None = None,
    finish: Finish = Finish.AUTO,
    strength: float = 1.0,
    megapixels: float | None = None,
    suffix: str = ".png",
    device: DeviceChoice = DeviceChoice.AUTO,
    precision: Precision = Precision.AUTO,
    threads: int | None = None,
    library: Library | None = None,
    on_event: OnEvent = ignore_events,
) -> bytes:
    """Translate one picture from a stream and return the encoded result: see `translate`.

    Raises:
        PictureError: the stream holds no picture that can be read, or one too large for memory.
        NotFoundError: there is no adaptation.
        UsageError: `megapixels` are fewer than a training view has.
    """
    library = library or Library(store_root())
    opened = _open_last(adaptation, library, on_event)
    view = view_of(opened.model_config.view, megapixels)
    where = choose_device(device)
    precision = settle_precision(precision, where)
    translator = _shared(opened, to, view, finish, strength, where, precision, on_event)
    with using_threads(threads), want_of_memory_named(Path("the picture")):
        picture = read_picture(source)
        return encoded(picture, translator(picture), suffix)


def _open_last(name: str | None, library: Library, on_event: OnEvent) -> Adaptation:
    """Open an adaptation and make it the one used last."""
    opened = open_adaptation(name, library, on_event)
    with suppress(OstError):  # A store that only can be read translates as well.
        library.set_last("adaptation", opened.name)
    return opened


def _find(
    inputs: Sequence[Path], folder: Path, on_event: OnEvent
) -> tuple[list[FoundPicture], list[tuple[Path, str]]]:
    """List the pictures in the inputs, and tell of the inputs that are missing.

    Raises:
        InputError: there is no picture at all.
    """
    usable, missing = split_inputs(inputs)
    for path, reason in missing:
        on_event(PictureFailed(path=path, reason=reason))
    found = find_pictures(usable, leave_out=folder, on_event=on_event)
    if not found:
        where = inputs[0] if len(inputs) == 1 else f"the {len(inputs)} inputs"
        raise InputError(
            f"there is no picture in {where}",
            hint="give JPEG, PNG, WebP, TIFF, BMP or GIF pictures, or folders that hold some",
        )
    return found, missing


def _is_another(picture: FoundPicture, example: FoundPicture) -> bool:
    return picture.path.resolve() != example.path.resolve()


def _advice(adaptation: Adaptation) -> str:
    return (
        f"all pictures go through {adaptation.name}, adapted to "
        f"{adaptation.example.path.name}; --adapt-each adapts to each one first and is better"
    )


def _shared(
    adaptation: Adaptation,
    to: Direction,
    view: ViewConfig,
    finish: Finish,
    strength: float,
    device: torch.device,
    precision: Precision,
    on_event: OnEvent,
) -> TranslatorFor:
    """Send every picture through the one adaptation."""
    networks = adaptation.networks.to(device)
    translator = Translator(
        networks,
        path_to(networks, to),
        view,
        finish=adaptation.finish if finish is Finish.AUTO else finish,
        strength=strength,
        precision=precision,
        on_event=on_event,
    )
    return lambda _: translator


def _adapted_each(
    adaptation: Adaptation,
    library: Library,
    view: ViewConfig,
    finish: Finish,
    strength: float,
    device: torch.device,
    precision: Precision,
    steps: int | None,
    should_stop: Callable[[], bool],
    on_event: OnEvent,
) -> TranslatorFor:
    """Adapt the adaptation's model to every picture before it is translated to B."""
    model = open_model(parent_of(adaptation, library), library, on_event=on_event)
    if not len(model.folder_pictures):
        raise UsageError(
            f"--adapt-each needs a model that carries its pictures, and {model.name} was exported "
            "without",
            hint="leave out --adapt-each, or import the model with its pictures",
        )
    config = replace(adaptation.config, precision=adaptation.precision)
    if steps is not None:
        config = replace(config, steps=steps, minutes=None)

    def translator_for(picture: Picture) -> Translator:
        networks = adapt_in_memory(picture.image, model, config, device, on_event, should_stop)
        decided = finish
        if finish is Finish.AUTO:
            facts = decide_finish(picture.image, model.texture, model.config.look)
            decided = Finish(facts["finish"])
        return Translator(
            networks,
            networks.translate_ab,
            view,
            finish=decided,
            strength=strength,
            precision=precision,
            on_event=on_event,
        )

    return translator_for


def _read(picture: FoundPicture, adaptation: Adaptation, *, is_example: bool) -> Picture:
    """Read an input; the example itself comes from the adaptation, in case its file has moved."""
    if is_example and adaptation.example_bytes is not None:
        return read_picture(BytesIO(adaptation.example_bytes))
    return read_picture(picture.path)
