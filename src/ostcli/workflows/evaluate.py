"""Numbers for translations, always beside the controls: `ost evaluate`."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mode
from time import monotonic
from typing import Any

from PIL import Image

from ostcli.config import AdaptConfig, DeviceChoice, FeatureNetwork, Finish
from ostcli.errors import InputError, PictureError, ResourceError, UsageError
from ostcli.events import OnEvent, PictureDone, PictureFailed, ignore_events
from ostcli.images.controls import Controls
from ostcli.images.encode import encode_picture
from ostcli.images.find import FoundPicture, find_pictures, split_inputs
from ostcli.images.folder import open_folder, spread
from ostcli.images.read import read_picture
from ostcli.paper.domain import check_scikit_learn
from ostcli.paper.features import open_perceptual_network
from ostcli.paper.intervals import Estimate
from ostcli.paper.scores import PictureScores, Scores, known_figures
from ostcli.paper.tables import REAL, Comparison, compared, markdown_table, table_of_estimates
from ostcli.store.durable import make_folder, write_file
from ostcli.store.library import Library, store_root
from ostcli.training.device import choose_device, prepare_arithmetic
from ostcli.training.threads import using_threads
from ostcli.workflows.adapt import settings_for
from ostcli.workflows.batch import NoMemoryError, tell_of_each, want_of_memory_named
from ostcli.workflows.scoring import MOST_OF_FOLDER, Perceptual, Scoring
from ostcli.workflows.stored import Model
from ostcli.workflows.ways import (
    SEEN,
    Partners,
    adapted_each,
    by_one_adaptation,
    made_already,
    seen,
)

ROW_OF = {Finish.PHOTO: "finished", Finish.NETWORK: "network", None: "translation"}
"""The row of what `ost translate` gives by default, or of what was made elsewhere."""
INTERVALS = (
    "± is the reach of the 95 % interval over the pictures: of style and KID by the jackknife, of "
    f'"{REAL}" over draws of as many pictures as there are sources, {MOST_OF_FOLDER} at most, but '
    "its P(B) over all of them.\n"
)


@dataclass(frozen=True, kw_only=True)
class Yardsticks:
    """What is held against the results: folders of real pictures, and a file of weights."""

    folder: Path | None = None
    """Pictures of B; the folder that the model was trained on if None."""
    domain_a: Path | None = None
    """More pictures of A, for the classifier; the sources alone if None."""
    held_out: Path | None = None
    """Pictures of B that no training has seen: the row "real", of as many as there are sources,
    240 at most."""
    truth: Path | None = None
    """The true partners of the sources, by the names of their files."""
    weights: Path | FeatureNetwork | None = None
    """Of the perceptual network, or one whose weights are to be fetched; without them there are no
    content, style, domain and KID."""


@dataclass(frozen=True, kw_only=True)
class EvaluateResult:
    """What `evaluate` came to."""

    by: str | None
    """What translated: the adaptation, or the model that was adapted to each source; None for
    translations made elsewhere."""
    config: AdaptConfig | None
    """Phase II's settings, as far as they are known."""
    scores: Mapping[str, Scores]
    """A row for each way of translating, the controls first."""
    estimates: Mapping[str, Mapping[str, Estimate]]
    """The same figures with their 95 % intervals over the pictures, by way and name."""
    comparison: Comparison | None
    """What the row that `ost translate` gives has less each other row; None of few sources."""
    pictures: Mapping[str, Mapping[str, PictureScores]]
    """The figures of each picture, by its path as found and then by the way it was made."""
    failed: tuple[tuple[Path, str], ...]
    """The sources that could not be used, with the reason of each."""
    features: FeatureNetwork | None
    """By whose features content, style, domain and KID are; figures by another are others."""
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
    config: AdaptConfig | Callable[[Model], AdaptConfig] = settings_for,
    yardsticks: Yardsticks = Yardsticks(),
    count: int | None = None,
    out: str | Path = Path("ost-evaluation"),
    device: DeviceChoice = DeviceChoice.AUTO,
    threads: int | None = None,
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
        threads: that it computes on; None leaves their number to what other programs take.
        library: where models are kept; the user's if None.
        on_event: told of each picture.
        should_stop: asked between steps and pictures.

    Returns:
        The figures, or None if it was stopped.

    Raises:
        UsageError: more than one way of translating is given, no folder of B is known, the model
            carries no pictures to adapt by, or what features need is not there: weights,
            scikit-learn.
        InputError: no source, no folder, no weights can be used.
        NotFoundError, DamagedError: see `open_model` and `open_adaptation`.
        StoreError: `out` cannot be written.
        ResourceError: the disk is full, or there is not enough memory for any source.
    """
    if sum(each is not None for each in (translations, adaptation, model)) > 1:
        raise UsageError(
            "--translations, --adaptation and --model are three ways to translate",
            hint="give one of them",
        )
    if yardsticks.weights is None and (yardsticks.domain_a or yardsticks.held_out):
        raise UsageError(
            "--domain-a and --held-out are for what is measured by features",
            hint="add --weights PATH or --download, or leave them out",
        )
    prepare_arithmetic()
    began, out = monotonic(), Path(out)
    library, where = library or Library(store_root()), choose_device(device)
    found, missing = _find(sources, out, on_event)
    found = found[:count]
    if translations is not None:
        way = made_already(Path(translations), leave_out=out)
    elif model is None:
        way = by_one_adaptation(adaptation, library, where, on_event)
    else:
        way = adapted_each(model, config, library, where, on_event, should_stop)
    # All that can be wrong is found out before the work.
    folder = _pictures_of(yardsticks.folder or way.folder, "--folder", out, on_event)
    with using_threads(threads):
        perceptual = _open_perceptual(yardsticks, found, out, on_event)
    truths = Partners(yardsticks.truth, leave_out=out) if yardsticks.truth else None
    make_folder(out)
    if model is not None:
        tell_of_each(len(found), on_event)
    failed, num_without_memory = list(missing), 0
    with using_threads(threads):
        if perceptual and not perceptual.look_at(folder, should_stop):
            return None
    scoring = Scoring(Controls(folder), truths, perceptual)
    for index, each in enumerate(found, start=1):
        at = monotonic()
        try:
            with using_threads(threads), want_of_memory_named(each.path):
                source = seen(read_picture(each.path).image)
                scoring.measure(each, source, way.make(each, source), way.finish_for(source))
        except InputError as error:
            reason = error.reason if isinstance(error, PictureError) else error.message
            num_without_memory += isinstance(error, NoMemoryError)
            failed.append((each.path, reason))
            on_event(PictureFailed(path=each.path, reason=reason))
            continue
        if should_stop():
            return None
        on_event(
            PictureDone(
                source=each.path,
                output=None,
                seconds=monotonic() - at,
                index=index,
                num_pictures=len(found),
            )
        )
    if num_without_memory == len(found):
        raise ResourceError(
            "there is not enough memory to measure any of the pictures",
            hint="make them smaller, close other programs, or use --device cpu",
        )
    if not scoring.names:
        raise InputError("none of the pictures can be used", hint="they are named above")
    classifier = perceptual.classifier(scoring.sources, on_event) if perceptual else None
    rows = scoring.rows(classifier, on_event)
    finish = Finish(mode(scoring.finishes)) if scoring.finishes else None
    result = EvaluateResult(
        by=way.name,
        config=way.config,
        scores={name: row.means for name, row in rows.items()},
        estimates={name: row.scores for name, row in rows.items()},
        comparison=compared(rows, ROW_OF[finish]),
        pictures={
            path: {name: row.of_each[index] for name, row in rows.items() if name != REAL}
            for index, path in enumerate(scoring.names)
        },
        failed=tuple(failed),
        features=perceptual.network.kind if perceptual else None,
        classifier_accuracy=classifier.accuracy if classifier else None,
        finish=finish,
        num_pictures=len(found) + len(missing),
        num_folder=len(folder),
        sheet=out / "sheet.webp",
        table=out / "scores.md",
        seconds=round(monotonic() - began, 1),
    )
    _write(result, scoring)
    return result


def values_of(result: EvaluateResult) -> dict[str, Any]:
    """Return a result as JSON values."""
    return {
        **asdict(result),
        "failed": [{"path": str(path), "reason": reason} for path, reason in result.failed],
        "sheet": str(result.sheet),
        "table": str(result.table),
    }


def _open_perceptual(
    yardsticks: Yardsticks, found: Sequence[FoundPicture], out: Path, on_event: OnEvent
) -> Perceptual | None:
    """Open everything that needs features; None without weights.

    Raises:
        UsageError, InputError: see `evaluate`.
    """
    if yardsticks.weights is None:
        return None
    check_scikit_learn()
    perceptual = Perceptual(network=open_perceptual_network(yardsticks.weights))
    if yardsticks.domain_a:
        sources = {each.path.resolve() for each in found}  # None of them twice.
        try:
            others = find_pictures([yardsticks.domain_a], leave_out=out, on_event=on_event)
        except PictureError as error:
            raise InputError(
                error.message, hint="give --domain-a with real pictures of A"
            ) from error
        for path in (each.path for each in others if each.path.resolve() not in sources):
            try:
                picture = seen(read_picture(path).image)
            except PictureError as error:
                on_event(PictureFailed(path=path, reason=error.reason))
                continue
            perceptual.more_of_a.add(perceptual.digest(picture))
    if yardsticks.held_out:
        held_out = _pictures_of(yardsticks.held_out, "--held-out", out, on_event)
        digests = [perceptual.digest(picture) for picture in held_out]
        perceptual = replace(perceptual, held_out=digests)
    return perceptual


def _find(
    sources: str | Path | Sequence[str | Path], out: Path, on_event: OnEvent
) -> tuple[list[FoundPicture], list[tuple[Path, str]]]:
    """List the sources, past those that are missing.

    Raises:
        InputError: there is none.
    """
    given = [sources] if isinstance(sources, str | Path) else sources
    usable, missing = split_inputs([Path(one) for one in given])
    for path, reason in missing:
        on_event(PictureFailed(path=path, reason=reason))
    found = find_pictures(usable, leave_out=out, on_event=on_event)
    if not found:
        raise InputError("there is no picture to evaluate", hint="give pictures or folders of A")
    return found, missing


def _pictures_of(
    folder: Path | None, option: str, out: Path, on_event: OnEvent
) -> list[Image.Image]:
    """Return real pictures of B.

    Raises:
        UsageError: no folder is known.
        InputError: there is no such folder, or no picture in it.
    """
    if folder is None:
        raise UsageError(
            "results are held against real pictures of B", hint=f"give {option} with some"
        )
    try:
        return spread(open_folder(folder, SEEN, on_event, leave_out=out), MOST_OF_FOLDER)
    except InputError as error:
        raise InputError(error.message, hint=f"give {option} with real pictures of B") from error


def _write(result: EvaluateResult, scoring: Scoring) -> None:
    figures = known_figures(list(result.scores.values()))
    parts = [markdown_table(*table_of_estimates(result.estimates, figures)), INTERVALS]
    parts += [result.comparison.markdown()] if result.comparison else []
    write_file(result.table, "\n".join(parts).encode())
    as_json = json.dumps(values_of(result), indent=2)
    write_file(result.table.with_suffix(".json"), f"{as_json}\n".encode())
    write_file(result.sheet, encode_picture(scoring.sheet(), result.sheet.suffix))
