"""Options that several commands share, with their completion."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ostcli.config import DeviceChoice, FeatureNetwork, Precision
from ostcli.errors import OstError, UsageError

ADVANCED = "Advanced"


class PictureFormat(StrEnum):
    """What pictures are written as."""

    JPG = "jpg"
    PNG = "png"
    WEBP = "webp"
    TIF = "tif"


class TrainingPrecision(StrEnum):
    """What a training takes of `Precision`."""

    AUTO = Precision.AUTO.value
    FP32 = Precision.FP32.value
    BF16 = Precision.BF16.value


def _names(kind: str | None, incomplete: str) -> list[str]:
    from ostcli.store.library import Library, store_root

    try:
        return [name for name in Library(store_root()).names(kind) if name.startswith(incomplete)]
    except OstError:
        return []


def complete_models(incomplete: str) -> list[str]:
    """Complete the name of a model."""
    return _names("model", incomplete)


def complete_adaptations(incomplete: str) -> list[str]:
    """Complete the name of an adaptation."""
    return _names("adaptation", incomplete)


def complete_names(incomplete: str) -> list[str]:
    """Complete the name of a model or an adaptation."""
    return _names(None, incomplete)


Adaptation = Annotated[
    str | None,
    typer.Option(
        "--adaptation",
        "-a",
        metavar="NAME",
        help="What to translate by.",
        show_default="the last used",
        autocompletion=complete_adaptations,
    ),
]
Device = Annotated[
    DeviceChoice,
    typer.Option(help="Where to compute; auto takes CUDA, else Apple's MPS, else the CPU."),
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Start over instead of continuing what is there.")
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print the result as one JSON object.", rich_help_panel=ADVANCED),
]
Minutes = Annotated[float | None, typer.Option(help="How long to train, instead of --steps.")]
_number_format = typer.Option(
    "--precision",
    help="Number format of the networks; auto measures which one is fastest.",
    rich_help_panel=ADVANCED,
)
NumberFormat = Annotated[Precision, _number_format]
TrainingFormat = Annotated[TrainingPrecision, _number_format]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="To compute on, fixed: for runs that are to be repeated to the bit.",
        show_default="one for each core that no other program uses, step by step",
        rich_help_panel=ADVANCED,
    ),
]
Nice = Annotated[
    bool,
    typer.Option(
        "--nice", help="Run at low priority: other programs go first.", rich_help_panel=ADVANCED
    ),
]
Features = Annotated[
    FeatureNetwork,
    typer.Option(
        help="By whose features to measure with --download: vgg16 is 553 MB, squeezenet 5 MB.",
        rich_help_panel=ADVANCED,
    ),
]
DownloadWeights = Annotated[
    bool,
    typer.Option(
        "--download",
        help="Fetch the weights of --features, once.",
        rich_help_panel=ADVANCED,
    ),
]
Seed = Annotated[
    int, typer.Option(min=0, help="Of all chance: the same seed gives the same result on a CPU.")
]
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A model or an adaptation.", autocompletion=complete_names),
]
Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME...", help="Models and adaptations.", autocompletion=complete_names
    ),
]


@contextmanager
def starting(*, nice: bool) -> Iterator[None]:
    """Import torch in this: a third faster, and at low priority if that was asked for.

    What is imported stays; to search it for garbage, again and again while there comes more of it,
    is time lost, and so it is later on and at the end.
    """
    if nice:
        from ostcli.training.machine import lower_priority

        lower_priority()
    if "torch" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def budget(steps: int | None, minutes: float | None) -> dict[str, Any]:
    """Return the fields of a configuration that say how long to train; none for the preset's."""
    return {} if steps is None and minutes is None else {"steps": steps, "minutes": minutes}


def weights_of(
    weights: Path | None, features: FeatureNetwork, *, download: bool
) -> Path | FeatureNetwork | None:
    """Return whose weights to measure by: a file's, else torchvision's if they may be fetched."""
    return weights or (features if download else None)


@contextmanager
def sentences_for_wrong_settings() -> Iterator[None]:
    """Turn what the configuration's checks say into an error of usage."""
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error), hint="--help shows the options") from error
