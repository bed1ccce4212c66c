"""The main job on pictures drawn by code, with the truth known: `ost demo`."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from ostcli.config import (
    AdaptConfig,
    DeviceChoice,
    Finish,
    LossWeights,
    NetworkConfig,
    OptimConfig,
    PretrainConfig,
    ViewConfig,
)
from ostcli.errors import UsageError
from ostcli.events import Event, OnEvent, PreviewReady, Saved, ignore_events
from ostcli.images.controls import Controls
from ostcli.images.encode import encode_picture, format_of_suffix
from ostcli.images.measure import mean_absolute_error
from ostcli.images.scenes import EXAMPLE_SEEDS, Season, draw_folder, draw_scene
from ostcli.images.sheet import contact_sheet
from ostcli.method.networks import Networks
from ostcli.store.durable import make_folder, write_file
from ostcli.store.library import Library
from ostcli.workflows.adapt import adapt
from ostcli.workflows.pretrain import pretrain
from ostcli.workflows.stored import open_adaptation, open_model
from ostcli.workflows.translator import Translator

SIZE = 128
NUM_SCENES = 120
PHASE_ONE = PretrainConfig(
    network=NetworkConfig(width=16, discriminator_scales=2),
    view=ViewConfig(size=64, rotation=0.0),
    optim=OptimConfig(batch_size=2, average_decay=0.99),
    steps=1800,
)
PHASE_TWO = AdaptConfig(
    view=ViewConfig(size=64, rotation=0.0),
    weights=LossWeights(weight_adversarial_ab=5.0),
    optim=OptimConfig(batch_size=4, learning_rate=4e-4, average_share=0.5),
    example_rate=3.0,
    steps=580,
)
"""Small pictures and a true winter far from the summer bear a stronger pull than photographs, but
the players circle each other longer (decisions 0010, 0012 and 0032)."""
FINISH = Finish.PHOTO
"""What a change of season and light wants. AUTO would take drawn scenes for drawings."""


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """How near the translation came to the truth. Errors are mean absolute differences, 0 to 1."""

    translation_error: float
    """Of the translation with the photo finish."""
    network_error: float
    """Of the network's own pixels."""
    identity_error: float
    """Of doing nothing."""
    ratio: float
    """translation_error ÷ identity_error."""
    controls: Mapping[str, float]
    """Errors of what needs no adaptation."""
    sheet: Path
    pictures: Path | None
    """Where the drawn pictures were left."""
    seconds: float
    seed: int


def demo(
    *,
    seed: int = 0,
    out: Path = Path("ost-demo.png"),
    keep: Path | None = None,
    device: DeviceChoice = DeviceChoice.AUTO,
    threads: int | None = None,
    on_event: OnEvent = ignore_events,
    should_stop: Callable[[], bool] = lambda: False,
) -> DemoResult | None:
    """Pretrain on drawn winter scenes, adapt to one summer scene, translate it, compare.

    Args:
        seed: of the scenes and of the training.
        out: the contact sheet; its suffix says which format.
        keep: a folder to leave the drawn pictures in.
        device: where to compute.
        threads: that it computes on; None leaves their number to what other programs take.
        on_event: told of progress.
        should_stop: asked after each step.

    Returns:
        The errors, or None if it was stopped.

    Raises:
        UsageError: `out` is a folder, or no format has its suffix.
        StoreError, ResourceError: the folder of `out` cannot be made, or `out` not be written.
    """

    def tell(event: Event) -> None:
        if not isinstance(event, PreviewReady | Saved):  # They lie in a folder that goes away.
            on_event(event)

    start = time.monotonic()
    _prepare(out)
    scenes = list(draw_folder(seed, NUM_SCENES, Season.WINTER, SIZE))
    with tempfile.TemporaryDirectory(prefix="ost-demo-") as temporary:
        library = Library(Path(temporary) / "store")
        pictures = keep or Path(temporary) / "pictures"
        folder, example = save_pictures(pictures, scenes, draw_scene(seed, Season.SUMMER, SIZE))
        trained = pretrain(
            folder,
            replace(PHASE_ONE, seed=seed),
            name="winter",
            device=device,
            threads=threads,
            library=library,
            on_event=tell,
            should_stop=should_stop,
        )
        if not trained.finished:
            return None
        adapted = adapt(
            example,
            replace(PHASE_TWO, seed=seed),
            name="summer",
            device=device,
            threads=threads,
            library=library,
            on_event=tell,
            should_stop=should_stop,
        )
        if not adapted.finished:
            return None
        model = open_model("winter", library).networks
        networks = open_adaptation("summer", library).networks
    return _compare(model, networks, scenes, seed, out, keep, start)


def save_pictures(
    folder: Path, scenes: Sequence[Image.Image], example: Image.Image
) -> tuple[Path, Path]:
    """Write the winter scenes and the summer example; return where both are."""
    winter, summer = folder / "winter", folder / "summer.png"
    winter.mkdir(parents=True, exist_ok=True)
    for number, scene in enumerate(scenes):
        scene.save(winter / f"winter-{number:03d}.png")
    example.save(summer)
    return winter, summer


def _prepare(out: Path) -> None:
    """Find out now, not after minutes of training, whether the sheet has a place."""
    if out.is_dir():
        raise UsageError(f"{out} is a folder", hint="name a file to write")
    format_of_suffix(out.suffix)
    make_folder(out.parent)


def _compare(
    model: Networks,
    networks: Networks,
    scenes: Sequence[Image.Image],
    seed: int,
    out: Path,
    keep: Path | None,
    start: float,
) -> DemoResult:
    """Measure the adapted networks, and the model before its adaptation, against the truth."""
    source, truth = (draw_scene(seed, season, SIZE) for season in (Season.SUMMER, Season.WINTER))
    view = PHASE_ONE.view
    translated = Translator(networks, networks.translate_ab, view, finish=FINISH)
    network = Translator(networks, networks.translate_ab, view)
    unadapted = Translator(model, model.reconstruct_bb, view, finish=FINISH)

    def error(image: Image.Image) -> float:
        return round(mean_absolute_error(image, truth), 5)

    translation_error = error(translated.translate(source))
    controls = {name: error(one) for name, one in Controls(scenes).results(source).items()}
    identity_error = controls.pop("identity")
    controls["unadapted"] = error(unadapted.translate(source))
    write_file(out, encode_picture(demo_sheet(networks, seed), out.suffix))
    return DemoResult(
        translation_error=translation_error,
        network_error=error(network.translate(source)),
        identity_error=identity_error,
        ratio=round(translation_error / identity_error, 4),
        controls=controls,
        sheet=out,
        pictures=keep,
        seconds=round(time.monotonic() - start, 1),
        seed=seed,
    )


def demo_sheet(networks: Networks, seed: int) -> Image.Image:
    """Show the example and two other summer scenes along the way from source to truth."""
    view = PHASE_ONE.view
    paths = [
        Translator(networks, networks.reconstruct_aa, view),
        Translator(networks, networks.translate_ab, view),
        Translator(networks, networks.translate_ab, view, finish=FINISH),
    ]
    rows = []
    for other in range(3):
        scene = (seed + 1000 * other) % len(EXAMPLE_SEEDS)
        source, truth = (
            draw_scene(scene, season, SIZE) for season in (Season.SUMMER, Season.WINTER)
        )
        rows.append([source, *(path.translate(source) for path in paths), truth])
    return contact_sheet(
        rows,
        columns=["source", "reconstructed", "network", "with finish", "truth"],
        row_labels=["example", "another", "another"],
        title="one summer picture into the look of a winter folder",
    )
