"""Numbers for translations, always beside the controls: `ost evaluate`."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from PIL import Image

from ostcli.config import AdaptConfig, DeviceChoice, Finish, ViewConfig, adapt_preset
from ostcli.errors import InputError, PictureError, UsageError
from ostcli.events import OnEvent, PictureDone, PictureFailed, ignore_events
from ostcli.images.controls import Controls
from ostcli.images.encode import encode_picture
from ostcli.images.find import FoundPicture, find_pictures
from ostcli.images.folder import open_folder, reduce_to_working_size, spread
from ostcli.images.read import read_picture
from ostcli.images.sheet import contact_sheet
from ostcli.paper.features import load_perceptual_network
from ostcli.paper.scores import (
    PerceptualRuler,
    PictureScores,
    Scores,
    score_pictures,
    score_real,
)
from ostcli.paper.tables import markdown_table, table_of_scores
from ostcli.store.durable import make_folder, write_file
from ostcli.store.library import Library, store_root
from ostcli.training.device import choose_device, prepare_arithmetic
from ostcli.workflows.stored import Model
from ostcli.workflows.ways import (
    Way,
    adapted_each,
    by_one_adaptation,
    by_stem,
    made_already,
    partner_of,
)

SEEN = ViewConfig()
"""Pictures are measured at their own size, at most at a megapixel."""
MOST_OF_FOLDER = 400
"""Pictures of a folder that are taken for measuring, at even distances."""
SHOWN = (
    "identity",
    "colour_match",
    "unadapted",
    "unadapted_finished",
    "network",
    "finished",
    "translation",
)
"""The columns of the sheet, as far as there are such results."""


@dataclass(frozen=True, kw_only=True)
class Yardsticks:
    """What is held against the results: folders of real pictures, and a file of weights."""

    folder: Path | None = None
    """Pictures of B; the folder that the model was trained on if None."""
    domain_a: Path | None = None
    """More pictures of A, for the classifier; the sources alone if None."""
    held_out: Path | None = None
    """Pictures of B that no training has seen: the row "real"."""
    truth: Path | None = None
    """The true partners of the sources, by the names of their files."""
    weights: Path | None = None
    """Of the perceptual network; without them there are no content, style, domain and KID."""


@dataclass(frozen=True, kw_only=True)
class EvaluateResult:
    """What `evaluate` came to."""

    scores: Mapping[str, Scores]
    """A row for each way of translating, the controls first."""
    pictures: Mapping[str, Mapping[str, PictureScores]]
    """The figures of each picture, by its path as found and then by the way it was made."""
    failed: tuple[tuple[Path, str], ...]
    """The sources that could not be used, with the reason of each."""
    classifier_accuracy: float | None
    """Of the domain classifier, balanced, on pictures that it was not trained on; 0.5 is a
    guess."""
    finish: Finish | None
    """What `--finish auto` means for most of the sources: the default row is "finished" for PHOTO
    and "network" for NETWORK; None for translations made elsewhere."""
    num_pictures: int
    """Of the sources, the failed ones included."""
    num_folder: int
    """Pictures of B that results were held against."""
    sheet: Path
    table: Path
    seconds: float


def evaluate(
    sources: str | Path | Sequence[str | Path],
    *,
    translations: str | Path | None = None,
    adaptation: str | None = None,
    model: str | None = None,
    config: AdaptConfig | Callable[[Model], AdaptConfig] = lambda model: adapt_preset(
        model.config, num_pictures=model.num_pictures
    ),
    yardsticks: Yardsticks = Yardsticks(),
    count: int | None = None,
    out: str | Path = Path("ost-evaluation"),
    device: DeviceChoice = DeviceChoice.AUTO,
    library: Library | None = None,
    on_event: OnEvent = ignore_events,
    should_stop: Callable[[], bool] = lambda: False,
) -> EvaluateResult | None:
    """Measure translations of some pictures, made already or by the networks, beside the controls.

    Args:
        sources: pictures of A, files and folders.
        translations: a folder of results made already, by the names of the sources' files.
        adaptation: translate all by this one; the one used last if nothing else is given.
        model: adapt this model to each source by itself, the paper's own use.
        config: of those adaptations, or a function that gives it for a model.
        yardsticks: what is held against the results.
        count: take so many sources, the first ones; all if None.
        out: a folder for the table, in Markdown and JSON, and the sheet.
        device: where to compute.
        library: where models are kept; the user's if None.
        on_event: told of each picture.
        should_stop: asked between steps and pictures.

    Returns:
        The figures, or None if it was stopped.

    Raises:
        UsageError: more than one way of translating is given, no folder of B is known, or
            scikit-learn is not there.
        InputError: no source, no folder or no weights can be used.
        NotFoundError, DamagedError: see `open_model` and `open_adaptation`.
        StoreError, ResourceError: `out` cannot be written.
    """
    if sum(each is not None for each in (translations, adaptation, model)) > 1:
        raise UsageError(
            "--translations, --adaptation and --model are three ways to translate",
            hint="give one of them",
        )
    prepare_arithmetic()
    began, out = monotonic(), Path(out)
    library, where = library or Library(store_root()), choose_device(device)
    found = _find(sources, on_event)[:count]
    if translations is not None:
        way = made_already(Path(translations))
    elif model is None:
        way = by_one_adaptation(adaptation, library, where, on_event)
    else:
        way = adapted_each(model, config, library, where, on_event, should_stop)
    folder = _pictures_of(yardsticks.folder or way.folder, on_event)
    network = yardsticks.weights and load_perceptual_network(yardsticks.weights)
    make_folder(out)  # Before the work, so that nothing is made in vain.
    bench = _make_all(found, way, Controls(folder), yardsticks.truth, on_event, should_stop)
    if bench is None:
        return None
    ruler = None
    if network:
        others = _pictures_of(yardsticks.domain_a, on_event) if yardsticks.domain_a else []
        ruler = PerceptualRuler(network, folder, [*bench.sources, *others])
    rows = {
        name: score_pictures(made, bench.sources, truths=bench.truths or None, ruler=ruler)
        for name, made in bench.results.items()
    }
    scores = {name: together for name, (together, _) in rows.items()}
    if ruler and yardsticks.held_out:
        scores["real"] = score_real(_pictures_of(yardsticks.held_out, on_event), ruler)
    result = EvaluateResult(
        scores=scores,
        pictures={
            path: {name: of_each[index] for name, (_, of_each) in rows.items()}
            for index, path in enumerate(bench.names)
        },
        failed=tuple(bench.failed),
        classifier_accuracy=ruler.classifier.accuracy if ruler else None,
        finish=way.finish_for(bench.sources),
        num_pictures=len(found),
        num_folder=len(folder),
        sheet=out / "sheet.webp",
        table=out / "scores.md",
        seconds=round(monotonic() - began, 1),
    )
    _write(result, bench)
    return result


def values_of(result: EvaluateResult) -> dict[str, Any]:
    """Return a result as JSON values."""
    return {
        **vars(result),
        "scores": {name: asdict(row) for name, row in result.scores.items()},
        "pictures": {
            path: {name: asdict(row) for name, row in rows.items()}
            for path, rows in result.pictures.items()
        },
        "failed": [{"path": str(path), "reason": reason} for path, reason in result.failed],
        "sheet": str(result.sheet),
        "table": str(result.table),
    }


@dataclass(kw_only=True)
class _Bench:
    """What lies on the bench to be measured, each list in the order of the sources."""

    names: list[str] = field(default_factory=list)
    sources: list[Image.Image] = field(default_factory=list)
    truths: list[Image.Image] = field(default_factory=list)
    results: dict[str, list[Image.Image]] = field(default_factory=dict)
    """By the way that they were made."""
    failed: list[tuple[Path, str]] = field(default_factory=list)


def _make_all(
    found: Sequence[FoundPicture],
    way: Way,
    controls: Controls,
    truth: Path | None,
    on_event: OnEvent,
    should_stop: Callable[[], bool],
) -> _Bench | None:
    """Make every result of every source, past the sources that cannot be used.

    Returns:
        None if it was stopped.
    Raises:
        InputError: no source can be used.
    """
    bench = _Bench()
    truths = by_stem(truth) if truth else {}
    for index, each in enumerate(found, start=1):
        at = monotonic()
        try:
            source = reduce_to_working_size(read_picture(each.path).image, SEEN)
            true = [partner_of(each, source, truths, truth)] if truth else []
            made = way.make(each, source)
        except PictureError as error:
            bench.failed.append((each.path, error.reason))
            on_event(PictureFailed(path=each.path, reason=error.reason))
            continue
        if should_stop():
            return None
        bench.names.append(str(each.path))
        bench.sources.append(source)
        bench.truths += true
        for name, result in {**controls.results(source), **made}.items():
            bench.results.setdefault(name, []).append(result)
        on_event(
            PictureDone(
                source=each.path,
                output=None,
                seconds=monotonic() - at,
                index=index,
                num_pictures=len(found),
            )
        )
    if not bench.sources:
        raise InputError("none of the pictures can be used", hint="they are named above")
    return bench


def _find(sources: str | Path | Sequence[str | Path], on_event: OnEvent) -> list[FoundPicture]:
    given = [sources] if isinstance(sources, str | Path) else sources
    found = find_pictures([Path(one) for one in given], on_event=on_event)
    if not found:
        raise InputError("there is no picture to evaluate", hint="give pictures or folders of A")
    return found


def _pictures_of(folder: Path | None, on_event: OnEvent) -> list[Image.Image]:
    if folder is None:
        raise UsageError(
            "results are held against real pictures of B", hint="give --folder with some"
        )
    return spread(open_folder(folder, SEEN, on_event), MOST_OF_FOLDER)


def _write(result: EvaluateResult, bench: _Bench) -> None:
    headings, rows = table_of_scores(result.scores)
    write_file(result.table, markdown_table(headings, rows).encode())
    as_json = json.dumps(values_of(result), indent=2)
    write_file(result.table.with_suffix(".json"), f"{as_json}\n".encode())
    write_file(result.sheet, encode_picture(_sheet(bench), result.sheet.suffix))


def _sheet(bench: _Bench) -> Image.Image:
    columns = [name for name in SHOWN if name in bench.results]
    rows: list[list[Image.Image]] = [
        [bench.results[name][index] for name in columns] for index in range(len(bench.sources))
    ]
    if bench.truths:
        columns.append("truth")
        for row, truth in zip(rows, bench.truths, strict=True):
            row.append(truth)
    return contact_sheet(
        rows,
        columns=["source" if name == "identity" else name.replace("_", " ") for name in columns],
        row_labels=[Path(name).stem for name in bench.names],
    )
