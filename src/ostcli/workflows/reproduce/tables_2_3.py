"""Tables 2 and 3: styles and drawings, every method by one definition and on one budget."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from PIL import Image

from ostcli.errors import TrainingFailedError
from ostcli.events import Note
from ostcli.images.controls import CONTROLS
from ostcli.images.sheet import contact_sheet
from ostcli.paper.features import PerceptualNetwork
from ostcli.paper.intervals import Estimate
from ostcli.paper.pictures.settings import ALL, CONTENT, FEW, ONE, STUDY, STYLE
from ostcli.paper.plots import Bar, plot_bars
from ostcli.paper.scores import FIGURES, PictureScores
from ostcli.paper.tables import HEADINGS, compared, readable, seconds_cell, table_of_estimates
from ostcli.workflows.reproduce.book import (
    NOT_RUN,
    Book,
    Draft,
    Row,
    Table,
    Values,
    of_other_networks,
)
from ostcli.workflows.reproduce.measured import Results, measure_methods
from ostcli.workflows.reproduce.picture_methods import PictureMethod, cyclegan, one_shot, unit
from ostcli.workflows.reproduce.pictures import PictureLab
from ostcli.workflows.reproduce.request import Request
from ostcli.workflows.translator import Translator

TILE = 128
"""Pixels of each picture in a sheet."""
SHOWN = 6
"""Sources in a sheet."""
SHOWN_CONTROLS = ("colour_match", "nearest_in_folder")
"""The controls beside what networks make; x itself is the identity."""
UNADAPTED = "unadapted"
"""T_BB of the sources."""
METHODS: Sequence[PictureMethod[Any]] = (
    one_shot(),
    *(make(how_many) for how_many in (ONE, FEW, ALL) for make in (unit, cyclegan)),
)
ROWS = (*map(readable, CONTROLS), UNADAPTED, *(method.name for method in METHODS))
PUBLISHED = {CONTENT: "content, published", STYLE: "style, published", STUDY: STUDY}
"""Headings of what the paper gives."""
OF_COST = ("steps", "GFLOP a step", "TFLOP in all", "s a training")
"""In all: of a training, and of phase I where it begins from it."""
OURS = "OST, 1 of A"
PLOTTED = ("content", "style", "domain", "error")
CAUTION = (
    "Content, style and KID are those of `ost evaluate`, of the network's own pixels; the "
    "published figures are by other layers and another normalisation, so only the order of the "
    "methods can be compared. Style falls with the number of pictures that it is of, which is "
    "that of the sources in every row, real pictures of B included. The nearest picture of B is "
    "one of those that results are held against. One of A and a few: trained for each source, from "
    "phase I's networks; all of A: trained once for both ways, from random weights, for as many "
    "steps as phase I and phase II of the set as it is given (trainA to trainB) have together. "
    "TFLOP in all are those of a training, and of phase I where it begins from that. UNIT's "
    "latents are deterministic, as all others here. ± is the reach of the 95 % interval over the "
    "pictures of a row, of style and KID by the jackknife, as if they had nothing in common; but "
    "phase I was trained once, what has all of A too, and the trainings for single sources see the "
    "same views of B."
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
    rows = _rows(lab, book, request)
    lab.watch.on_event(Note(text=f"{lab.task.title}: measuring"))
    results = measure_methods(lab, rows.made, network)
    return book.write(_draft(f"{name}-{lab.task.key}", lab, rows, results))


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """The rows of a task, by their names."""

    made: Mapping[str, Sequence[Image.Image]]
    """The pictures of those that are there."""
    costs: Mapping[str, Values]
    """What their trainings cost."""
    made_with: Mapping[str, Values | None]
    """See `Row.made_with`."""
    failed: AbstractSet[str]
    """Those whose training went wrong."""

    def state_of(self, name: str) -> str:
        """Return what stands in the place of the figures of a row that is not there."""
        return "failed" if name in self.failed else NOT_RUN


def _rows(lab: PictureLab, book: Book, request: Request) -> _Rows:
    """Make the rows that are asked for, and find those that were made before."""
    chosen = request.chosen(ROWS, lab.task.title, lab.watch.on_event)
    # Beside each row that begins from phase I stands what phase I alone makes.
    begun = {method.name for method in METHODS if method.how_many != ALL}
    row = book.row(UNADAPTED, {**lab.settings, "method": UNADAPTED})
    unadapted = _unadapted(row, lab, is_made=not chosen.isdisjoint({UNADAPTED, *begun}))
    made = {UNADAPTED: unadapted} if unadapted else {}
    costs, made_with, failed = {}, {UNADAPTED: row.made_with}, set()
    for method in METHODS:
        row = book.row(method.name, {**method.settings, **lab.settings})
        pictures = row.pictures(len(lab.sources))
        if (row.figures is None or pictures is None) and method.name in chosen:
            pictures = _make(row, method, lab)
            if pictures is None:
                failed.add(method.name)
        if row.figures and pictures:
            made[method.name], costs[method.name] = pictures, row.figures
            made_with[method.name] = row.made_with
    return _Rows(made=made, costs=costs, made_with=made_with, failed=failed)


def _draft(name: str, lab: PictureLab, rows: _Rows, results: Results) -> Draft:
    """Lay out what the rows come to, and the controls."""
    scores = {name: way.scores for name, way in results.ways.items()}
    figures = [figure for figure in FIGURES if any(figure in row for row in scores.values())]
    headings, cells = table_of_estimates(scores, figures)
    every = [UNADAPTED, *(method.name for method in METHODS)]
    not_made = [name for name in every if name not in rows.made]
    cells += [[name, *[rows.state_of(name)] * len(figures)] for name in not_made]
    panels, published = _panels(scores), lab.task.published
    known = [key for key in PUBLISHED if any(key in each for each in published.values())]
    return Draft(
        name=name,
        introduction=f"{_introduction(lab, results)}{of_other_networks(rows.made_with.values())}",
        headings=[*headings, *(PUBLISHED[key] for key in known), *OF_COST],
        cells=[
            [
                *row,
                *(_figure(published.get(row[0], {}).get(key)) for key in known),
                *_cost(rows.costs.get(row[0])),
            ]
            for row in cells
        ],
        made=list(rows.made),
        comparison=compared(results.ways, OURS),
        values={
            "task": lab.task.key,
            "settings": lab.settings,
            "features": results.features,
            "classifier_accuracy": results.accuracy,
            "num_sources": len(lab.sources),
        },
        rows=[
            {
                "name": each,
                "scores": _values_of(scores.get(each)),
                "of_pictures": [asdict(one) for one in _of_each(results, each)],
                "published": published.get(each),
                "cost": rows.costs.get(each),
                "made_with": rows.made_with.get(each),
            }
            for each in (*scores, *not_made)
        ],
        plot=partial(plot_bars, panels, title=lab.task.title) if panels else None,
        sheet=_sheet(lab, rows.made),
    )


def _make(row: Row, method: PictureMethod[Any], lab: PictureLab) -> list[Image.Image] | None:
    """Make a row and return its pictures; None if its training went wrong."""
    lab.watch.check()
    lab.watch.on_event(Note(text=f"{lab.task.title}, row: {method.name}"))
    try:
        row.keep(method.translate(lab, row))
    except TrainingFailedError as error:
        lab.watch.on_event(Note(text=f"no row {method.name}: {error.message}", warning=True))
        return None
    return row.pictures(len(lab.sources))


def _unadapted(row: Row, lab: PictureLab, *, is_made: bool) -> list[Image.Image] | None:
    """Return T_BB of the sources, kept as a row is; None if it is neither there nor to be made."""
    pictures = row.pictures(len(lab.sources))
    if pictures is None and is_made:
        networks = lab.pretrained
        translator = Translator(networks, networks.reconstruct_bb, lab.one.view)
        for index, source in enumerate(lab.sources):
            row.keep_picture(index, translator.translate(source))
        pictures = row.pictures(len(lab.sources))
    return pictures


def _of_each(results: Results, name: str) -> Sequence[PictureScores]:
    return results.ways[name].of_each if name in results.ways else ()


def _values_of(scores: Mapping[str, Estimate] | None) -> Values | None:
    return None if scores is None else {figure: asdict(each) for figure, each in scores.items()}


def _panels(scores: Mapping[str, Mapping[str, Estimate]]) -> Mapping[str, Sequence[Bar]]:
    return {
        HEADINGS[figure]: [Bar(name=name, value=row.get(figure)) for name, row in scores.items()]
        for figure in PLOTTED
        if any(figure in row for row in scores.values())
    }


def _introduction(lab: PictureLab, results: Results) -> str:
    one, two, domains = lab.one, lab.two, lab.domains
    sentences = [
        f"# {lab.task.title}\n\n{len(lab.sources)} pictures of A, {len(domains.train_b)} of B to "
        f"train on, and {len(domains.train_a)} of A for the rows that have all of them. Networks "
        f"of {one.network.width} channels (authors: 64) on crops of {one.view.size} pixels (256), "
        f"to which end every picture of this table is reduced to {one.view.short_side} pixels on "
        f"its shorter side; phase I {one.steps:,} steps, phase II {two.steps:,} (authors: 80 for "
        "each picture of B)."
    ]
    if results.features is not None:
        sentences.append(
            f"Content, style, P(B) and KID are by the features of {results.features}: those of "
            "another network are other figures."
        )
    if results.accuracy is not None:
        sentences.append(
            "P(B) is by a classifier of pictures to train on, right on "
            f"{results.accuracy:.0%} of those it has not seen."
        )
    return f"{' '.join(sentences)}\n\n{CAUTION}"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _cost(cost: Values | None) -> list[str]:
    if cost is None:
        return ["–"] * len(OF_COST)
    times = f"{cost['trainings']} × " if cost["trainings"] > 1 else ""
    steps = f"{times}{cost['steps']:,}"
    seconds = "–" if cost["seconds_each"] is None else seconds_cell(cost["seconds_each"])
    in_all = f"{cost['tera_flop_in_all']:.0f}"
    return [steps, f"{cost['giga_flop_per_step']:.0f}", in_all, seconds]


def _sheet(lab: PictureLab, made: Mapping[str, Sequence[Image.Image]]) -> Image.Image:
    controls = {readable(name): lab.controls[name] for name in SHOWN_CONTROLS}
    columns = {"x": lab.sources, **controls, **made}
    if lab.truths:
        columns["truth"] = lab.truths
    return contact_sheet(
        [list(row) for row in zip(*columns.values(), strict=True)][:SHOWN],
        columns=list(columns),
        tile=TILE,
    )
