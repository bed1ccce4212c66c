"""Tables 2 and 3: styles and drawings, every method by one definition and on one budget."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from PIL import Image

from ostcli.errors import TrainingFailedError
from ostcli.events import Note
from ostcli.images.controls import Controls
from ostcli.images.folder import spread
from ostcli.images.sheet import contact_sheet
from ostcli.paper.features import PerceptualNetwork
from ostcli.paper.pictures.settings import ALL, CONTENT, FEW, ONE, STUDY, STYLE
from ostcli.paper.scores import Measured, Scores, known_figures, measure, real_scores
from ostcli.paper.tables import table_of_scores
from ostcli.workflows.reproduce.book import Book, Draft, Row, Table, Values
from ostcli.workflows.reproduce.pictures import (
    PictureLab,
    PictureMethod,
    cyclegan,
    one_shot,
    unit,
)
from ostcli.workflows.reproduce.request import Request
from ostcli.workflows.scoring import Perceptual
from ostcli.workflows.translator import Translator

MOST_OF_FOLDER = 240
"""Pictures of B that results are held against, at even distances."""
TILE = 128
"""Pixels of each picture in a sheet."""
UNADAPTED = "unadapted"
"""T_BB of the sources."""
METHODS: Sequence[PictureMethod[Any]] = (
    one_shot(),
    *(make(how_many) for how_many in (ONE, FEW, ALL) for make in (unit, cyclegan)),
)
PUBLISHED = {CONTENT: "content, published", STYLE: "style, published", STUDY: STUDY}
"""Headings of what the paper gives."""
CAUTION = (
    "Content, style, KID and P(B) are those of `ost evaluate`, of the network's own pixels; the "
    "published figures are by other layers and another normalisation, so only the order of the "
    "methods can be compared. One of A and a few: trained for each source, from phase I's "
    "networks; all of A: trained once, from random weights, for as many steps as phase I and "
    "phase II have together. UNIT's latents are deterministic, as all others here."
)


def picture_table(
    name: str,
    lab: PictureLab,
    book: Book,
    request: Request,
    network: PerceptualNetwork | None,
) -> Table:
    """Make the rows of one task, measure all of them, and write the table.

    Args:
        name: of the table, "table2" or "table3".
        lab: the task.
        book: where the rows and their pictures are kept.
        request: which rows.
        network: for the figures that need features; there are none without it.
    """
    chosen = request.chosen(method.name for method in METHODS)
    if not chosen:
        lab.watch.on_event(Note(text=f"{lab.task.title} has no such row", warning=True))
    made, costs = {UNADAPTED: _unadapted(lab)}, {}
    for method in METHODS:
        row = book.row(method.name, {**lab.settings, **method.settings})
        costs[method.name] = row.figures or (
            _make(row, method, lab) if method.name in chosen else None
        )
        if costs[method.name] is not None:
            made[method.name] = row.pictures
    lab.watch.on_event(Note(text=f"{lab.task.title}: measuring"))
    scores, accuracy = _measured(lab, made, network)
    figures = known_figures(list(scores.values()))
    headings, cells = table_of_scores(scores, figures)
    cells += [[name, *["not run"] * len(figures)] for name in costs if name not in scores]
    published = lab.task.published
    known = [key for key in PUBLISHED if any(key in each for each in published.values())]
    return book.write(
        Draft(
            name=f"{name}-{lab.task.key}",
            introduction=f"# {lab.task.title}\n\n{_introduction(lab, accuracy)}\n\n{CAUTION}",
            headings=[*headings, *(PUBLISHED[key] for key in known), "steps", "GFLOP a step"],
            cells=[
                [
                    *row,
                    *(_figure(published.get(row[0], {}).get(key)) for key in known),
                    *_cost(costs.get(row[0])),
                ]
                for row in cells
            ],
            values={
                "task": lab.task.key,
                "settings": lab.settings,
                "classifier_accuracy": accuracy,
                "num_sources": len(lab.sources),
                "rows": [
                    {
                        "name": each,
                        "scores": asdict(scores[each]) if each in scores else None,
                        "published": published.get(each),
                        "cost": costs.get(each),
                    }
                    for each in (*scores, *(other for other in costs if other not in scores))
                ],
            },
            sheet=_sheet(lab, made),
        )
    )


def _make(row: Row, method: PictureMethod[Any], lab: PictureLab) -> Values | None:
    """Make a row and return what it cost; None if its training went wrong."""
    lab.watch.check()
    lab.watch.on_event(Note(text=f"{lab.task.title}, row: {method.name}"))
    began = time.monotonic()
    try:
        cost = method.translate(lab, row)
    except TrainingFailedError as error:
        lab.watch.on_event(Note(text=f"no row {method.name}: {error.message}", warning=True))
        return None
    return row.keep({**cost, "seconds": time.monotonic() - began})


def _unadapted(lab: PictureLab) -> list[Image.Image]:
    networks = lab.pretrained
    translator = Translator(networks, networks.reconstruct_bb, lab.one.view)
    return [translator.translate(source) for source in lab.sources]


def _measured(
    lab: PictureLab,
    made: Mapping[str, Sequence[Image.Image]],
    network: PerceptualNetwork | None,
) -> tuple[Mapping[str, Scores], float | None]:
    """Return the figures of every way of translating, and the accuracy of the classifier."""
    folder = spread(lab.domains.train_b, MOST_OF_FOLDER)
    controls = Controls(folder)
    measured: dict[str, Measured] = {}
    for index, source in enumerate(lab.sources):
        lab.watch.check()
        results = {**controls.results(source), **{name: each[index] for name, each in made.items()}}
        truth = lab.truths[index] if lab.truths else None
        of_source = network(source) if network else None
        for name, result in results.items():
            features = (of_source, network(result)) if network and of_source else None
            row = measure(result, source, truth=truth, features=features)
            measured.setdefault(name, Measured()).add(row)
    if network is None:
        return {name: each.scores(None, None)[0] for name, each in measured.items()}, None
    seen = Perceptual(network=network)
    seen.look_at(folder, lab.watch.should_stop)
    for gathered, pictures in (
        (seen.more_of_a, spread(lab.domains.train_a, MOST_OF_FOLDER)),
        (seen.held_out, spread(lab.domains.test_b, MOST_OF_FOLDER)),
    ):
        for picture in pictures:
            gathered.add(seen.digest(picture))
    lab.watch.check()
    classifier = seen.classifier(measured["identity"].seen, lab.watch.on_event)
    scores = {name: each.scores(seen.folder, classifier)[0] for name, each in measured.items()}
    scores["real"] = real_scores(seen.held_out, seen.folder, classifier)
    return scores, classifier.accuracy if classifier else None


def _introduction(lab: PictureLab, accuracy: float | None) -> str:
    one, two, domains = lab.one, lab.two, lab.domains
    sentences = [
        f"{len(lab.sources)} pictures of A, {len(domains.train_b)} of B to train on, and "
        f"{len(domains.train_a)} of A for the rows that have all of them. Networks of "
        f"{one.network.width} channels (authors: 64) on crops of {one.view.size} pixels (256); "
        f"phase I {one.steps:,} steps, phase II {two.steps:,} (authors: 80 for each picture of B)."
    ]
    if accuracy is not None:
        sentences.append(f"P(B) is by a classifier right on {accuracy:.0%} of unseen pictures.")
    return " ".join(sentences)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _cost(cost: Values | None) -> list[str]:
    if cost is None:
        return ["–", "–"]
    times = f"{cost['trainings']} × " if cost["trainings"] > 1 else ""
    return [f"{times}{cost['steps']:,}", f"{cost['giga_flop_per_step']:.0f}"]


def _sheet(lab: PictureLab, made: Mapping[str, Sequence[Image.Image]]) -> Image.Image:
    columns = {"x": lab.sources, **made}
    if lab.truths:
        columns["truth"] = lab.truths
    return contact_sheet(
        [[pictures[index] for pictures in columns.values()] for index in range(len(lab.sources))],
        columns=list(columns),
        tile=TILE,
    )
