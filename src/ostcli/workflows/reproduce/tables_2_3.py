"""Tables 2 and 3: styles and drawings, every method by one definition and on one budget."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from PIL import Image

from ostcli.errors import TrainingFailedError
from ostcli.events import Note
from ostcli.images.sheet import contact_sheet
from ostcli.paper.features import PerceptualNetwork
from ostcli.paper.intervals import Estimate
from ostcli.paper.pictures.settings import ALL, CONTENT, FEW, ONE, STUDY, STYLE
from ostcli.paper.plots import Bar, plot_bars
from ostcli.paper.scores import FIGURES
from ostcli.paper.tables import HEADINGS, table_of_estimates
from ostcli.workflows.reproduce.book import Book, Draft, Row, Table, Values
from ostcli.workflows.reproduce.measured import measure_methods
from ostcli.workflows.reproduce.pictures import (
    PictureLab,
    PictureMethod,
    cyclegan,
    one_shot,
    unit,
)
from ostcli.workflows.reproduce.request import Request
from ostcli.workflows.translator import Translator

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
OURS = "OST, 1 of A"
PLOTTED = ("content", "style", "domain", "error")
CAUTION = (
    "Content, style, KID and P(B) are those of `ost evaluate`, of the network's own pixels; the "
    "published figures are by other layers and another normalisation, so only the order of the "
    "methods can be compared. One of A and a few: trained for each source, from phase I's "
    "networks; all of A: trained once, from random weights, for as many steps as phase I and "
    "phase II have together. UNIT's latents are deterministic, as all others here. ± is the reach "
    "of the 95 % interval over the sources, by the normal distribution; of the two figures of all "
    "results together, style and KID, by the jackknife."
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
    results = measure_methods(lab, made, network)
    scores = results.scores
    figures = [figure for figure in FIGURES if any(figure in row for row in scores.values())]
    headings, cells = table_of_estimates(scores, figures)
    cells += [[name, *["not run"] * len(figures)] for name in costs if name not in scores]
    panels, published = _panels(scores), lab.task.published
    known = [key for key in PUBLISHED if any(key in each for each in published.values())]
    return book.write(
        Draft(
            name=f"{name}-{lab.task.key}",
            introduction=_introduction(lab, results.accuracy),
            headings=[*headings, *(PUBLISHED[key] for key in known), "steps", "GFLOP a step"],
            cells=[
                [
                    *row,
                    *(_figure(published.get(row[0], {}).get(key)) for key in known),
                    *_cost(costs.get(row[0])),
                ]
                for row in cells
            ],
            remarks=results.comparisons(OURS),
            values={
                "task": lab.task.key,
                "settings": lab.settings,
                "classifier_accuracy": results.accuracy,
                "num_sources": len(lab.sources),
                "rows": [
                    {
                        "name": each,
                        "scores": _values_of(scores.get(each)),
                        "of_pictures": [asdict(one) for one in results.of_each.get(each, ())],
                        "published": published.get(each),
                        "cost": costs.get(each),
                    }
                    for each in (*scores, *(other for other in costs if other not in scores))
                ],
            },
            plot=partial(plot_bars, panels, title=lab.task.title) if panels else None,
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


def _values_of(scores: Mapping[str, Estimate] | None) -> Values | None:
    return None if scores is None else {figure: asdict(each) for figure, each in scores.items()}


def _panels(scores: Mapping[str, Mapping[str, Estimate]]) -> Mapping[str, Sequence[Bar]]:
    return {
        HEADINGS[figure]: [Bar(name=name, value=row.get(figure)) for name, row in scores.items()]
        for figure in PLOTTED
        if any(figure in row for row in scores.values())
    }


def _introduction(lab: PictureLab, accuracy: float | None) -> str:
    one, two, domains = lab.one, lab.two, lab.domains
    sentences = [
        f"# {lab.task.title}\n\n{len(lab.sources)} pictures of A, {len(domains.train_b)} of B to "
        f"train on, and {len(domains.train_a)} of A for the rows that have all of them. Networks "
        f"of {one.network.width} channels (authors: 64) on crops of {one.view.size} pixels (256); "
        f"phase I {one.steps:,} steps, phase II {two.steps:,} (authors: 80 for each picture of B)."
    ]
    if accuracy is not None:
        sentences.append(f"P(B) is by a classifier right on {accuracy:.0%} of unseen pictures.")
    return f"{' '.join(sentences)}\n\n{CAUTION}"


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
