"""A row of a table of digits: a method, what it came to, and a strip of its pictures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

import torch
from PIL import Image
from torch import Tensor

from ostcli.events import Note, OnStep
from ostcli.images.sheet import contact_sheet
from ostcli.images.tensors import tensor_to_image
from ostcli.paper.digits.controls import in_colours
from ostcli.paper.digits.layers import SIDE
from ostcli.paper.intervals import Estimate, difference_of_shares
from ostcli.paper.plots import Points
from ostcli.paper.tables import Comparison
from ostcli.workflows.reproduce.book import Book, Row, Values, of_other_networks
from ostcli.workflows.reproduce.digit_methods import AT_ONCE, DigitMethod
from ostcli.workflows.reproduce.digits import DigitLab, Drawn
from ostcli.workflows.reproduce.kept import SECONDS
from ostcli.workflows.reproduce.request import Request

K = TypeVar("K")

INTERVALS = (
    "Beside each figure is its 95 % interval over runs, as if these had nothing in common; but "
    f"phase I was trained once, and {AT_ONCE} runs each have the same pictures of B at the same "
    "steps."
)
"""What is said of every table of digits."""
CONTROLS_ELSEWHERE = "What controls come to stands in Table 1 of the same direction."
"""What is said of every other one."""
SCORES = {
    "accuracy": "accuracy",
    "balanced": "balanced",
    "realism": "realism",
    "right_and_real": "right and real",
}
"""Of every row, with their headings."""
PLOTTED = ("accuracy", "realism", "right_and_real")
"""Of them, a panel each of a plot."""
OF_EACH_RUN = ("accuracy", "right_and_real")
"""Of them, by which methods are compared run by run."""
FEWEST_RUNS, FEWEST_PICTURES = 4, 10
"""Below so many runs, or pictures in all of them, nothing is said of differences."""
SEEDS_OF_ROW = 2**20
"""From those of one seed to those of the next: a row has two for each part."""
SHOWN = 20
"""Runs whose pictures a strip shows, at most."""
TILE = 40
"""Pixels of each in a sheet …"""
LABEL = 320
"""… and of the name beside a row."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A row of a table of digits before it is made."""

    method: DigitMethod
    num_own: int = 1
    """Pictures of A that each run has."""
    most_runs: int | None = None
    """Runs at most; None for as many as are asked for."""

    def runs_of(self, request: Request) -> int:
        """Return how many runs it has."""
        return min(request.runs, self.most_runs or request.runs)


@dataclass(frozen=True, kw_only=True)
class MadeRow:
    """A row of a table of digits."""

    figures: Values
    strip: Image.Image
    """Its first pictures, side by side."""
    made_with: Values | None
    """See `Row.made_with`."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What holds for all rows of a table of digits."""

    text: str
    """For people."""
    values: Values
    """For programs."""


def about(lab: DigitLab, book: Book, made_with: Iterable[Values | None]) -> About:
    """Return what is said above a table.

    The facts are kept as a row is: what is trained anew later, as the cache was emptied, is not
    what the rows that are there were made with.

    Args:
        lab: the direction.
        book: where rows are kept.
        made_with: of the table's rows, None where it was not written down.
    """
    row = book.row("facts", lab.settings)
    facts = row.figures
    if facts is None or (facts["phase_one"] is None and lab.has_phase_one):
        facts = row.keep(lab.facts, lab.digests_of_judge)
    others = of_other_networks(made_with, row.made_with)
    return About(
        text=f"{lab.introduction(facts)}{others}",
        values={
            "task": lab.task.key,
            "facts": facts,
            "facts_made_with": row.made_with,
            "settings": lab.settings,
        },
    )


def make_rows(
    lab: DigitLab, book: Book, request: Request, asked: Mapping[str, Asked]
) -> Mapping[str, MadeRow | None]:
    """Make the rows of a table, or find those that were made before.

    Args:
        lab: the direction.
        book: where rows are kept.
        request: which of them, of how many runs.
        asked: the rows of the table, by their names.

    Returns:
        Each of them, None where it is not asked for and was not made before.
    """
    chosen = request.chosen(asked, lab.task.title, lab.watch.on_event)
    found: dict[str, MadeRow | None] = {}
    for name, each in asked.items():
        drawn = lab.drawn(each.runs_of(request), each.num_own)
        settings = {
            **lab.settings,
            "method": each.method.settings,
            "runs": len(drawn.labels),
            "own": each.num_own,
        }
        row = book.row(each.method.name, settings)
        found[name] = _kept(row)
        if found[name] is None and name in chosen:
            lab.watch.check()
            lab.watch.on_event(Note(text=f"{lab.task.title}, row: {name}"))
            found[name] = _make(row, each.method, lab, drawn)
    return found


def of_pictures_seen(lab: DigitLab, asked: Sequence[Asked], request: Request) -> str:
    """Return what is to be said of rows whose pictures the classifier of domains has seen."""
    num_unseen = len(lab.a.held_back)
    numbers = {
        each.num_own
        for each in asked
        if lab.drawn(each.runs_of(request), each.num_own).labels.numel() > num_unseen
    }
    if not numbers:
        return ""
    which = f"runs of {', '.join(map(str, sorted(numbers)))}" if numbers != {1} else "later runs"
    return (
        f" The classifier of domains was trained without the first {num_unseen:,} of A's pictures: "
        f"{which} have others too, which it knows as A's."
    )


def figures_of(rows: Mapping[K, MadeRow | None]) -> Mapping[K, Values | None]:
    """Return the figures of rows by their names."""
    return {name: row.figures if row else None for name, row in rows.items()}


def for_programs(row: MadeRow | None) -> Values:
    """Return what a table's JSON has of a row, made or not."""
    if row is None:
        return {"figures": None, "made_with": None}
    return {"figures": row.figures, "made_with": row.made_with}


def sheet_of(lab: DigitLab, request: Request, rows: Mapping[str, MadeRow | None]) -> Image.Image:
    """Return the strips of rows of one picture each below the pictures of A that they are of."""
    strips = {f"x, {lab.a.name}": strip(lab.drawn(request.runs).pictures[:, 0])}
    strips |= {name: row.strip for name, row in rows.items() if row}
    pictures = [pieces(image) for image in strips.values()]
    return contact_sheet(
        pictures,
        columns=[""] * len(pictures[0]),
        row_labels=list(strips),
        tile=TILE,
        widest_label=LABEL,
    )


def _kept(row: Row) -> MadeRow | None:
    """Return what is on the disk of a row; None unless all of it is."""
    figures, image = row.figures, row.picture(0)
    return (
        MadeRow(figures=figures, strip=image, made_with=row.made_with)
        if figures and image
        else None
    )


def _make(row: Row, method: DigitMethod, lab: DigitLab, drawn: Drawn) -> MadeRow:
    made, seconds = translate_in_parts(row, method, lab, drawn)
    last = max(made)
    image = strip(made[last][:, 0])
    row.keep_picture(0, image)
    figures = {
        **asdict(lab.judge.score(made[last], drawn.labels)),
        "steps": last,
        "seconds_each": seconds / len(drawn.labels),
    }
    kept_figures = row.keep(figures, lab.digests_of_judge)
    return MadeRow(figures=kept_figures, strip=image, made_with=row.made_with)


def translate_in_parts(
    row: Row, method: DigitMethod, lab: DigitLab, drawn: Drawn, looks: Sequence[int] = ()
) -> tuple[Mapping[int, Tensor], float]:
    """Translate the pictures of every run, so many at once, past the parts that a row has already.

    Args:
        row: keeps what is done, and the training that is stopped.
        method: translates.
        lab: the direction.
        drawn: the pictures.
        looks: steps of training after which to translate; the last one is always.

    Returns:
        T_AB by step, shape (K, n, C, 32, 32), range [-1, 1]; and the seconds without phase I.
    """
    parts = dict(enumerate(drawn.in_parts(method.at_once or len(drawn.labels))))
    names = {index: f"{index + 1}-of-{len(parts)}" for index in parts}
    known = {index: row.part(name) for index, name in names.items()}
    done = {index: part for index, part in known.items() if part is not None}
    missing = [index for index in parts if index not in done]
    if missing:
        method.prepare(lab)  # Phase I is no part of a row's time.
    told = lab.watch.of(method.name, lab.precision)
    for place, index in enumerate(missing):
        halfway = row.halfway(names[index])
        made = method.translate(
            lab,
            parts[index],
            looks=looks,
            seed=lab.seed * SEEDS_OF_ROW + 2 * index,
            on_step=_one_of(told, place, len(missing)),
            halfway=halfway,
        )
        pictures = {f"{step}": each for step, each in made.pictures.items()}
        done[index] = {SECONDS: torch.tensor(made.seconds), **pictures}
        row.keep_part(names[index], done[index])
        halfway.remove()
    every = [done[index] for index in parts]
    steps = sorted(int(key) for key in every[0] if key != SECONDS)
    return (
        {step: torch.cat([part[f"{step}"] for part in every]) for step in steps},
        sum(float(part[SECONDS]) for part in every),
    )


def _one_of(told: OnStep, index: int, number: int) -> OnStep:
    """Return what tells of the steps of one of several trainings that follow one another."""
    return lambda step, num_steps: told(index * num_steps + step, number * num_steps)


def strip(pictures: Tensor) -> Image.Image:
    """Return the first pictures of some, side by side.

    Args:
        pictures: Shape (K, C, 32, 32), range [-1, 1].
    """
    return tensor_to_image(torch.cat(list(in_colours(pictures[:SHOWN], 3)), dim=-1))


def estimate(values: Mapping[str, float | None]) -> Estimate:
    """Return an estimate of a row on the disk."""
    return Estimate(**values)  # type: ignore[arg-type]  # A value is never None.


def cell(figure: Estimate) -> str:
    """Return an estimate with its interval, for people."""
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} [{figure.low:.2f}, {figure.high:.2f}]"


def cells(figures: Values) -> list[str]:
    """Return the scores of a row, for people."""
    return [cell(estimate(figures[score])) for score in SCORES]


def compared_by_run(ours: str, pairs: Mapping[str, tuple[Values, Values]]) -> Comparison | None:
    """Compare one method with others, run by run on the same pictures; None of few runs.

    Args:
        ours: the name of the one.
        pairs: its figures and the other's, by what is to stand for that.
    """
    less = {
        name: [
            difference_of_shares(one["of_runs"][score], other["of_runs"][score], one["num_own"])
            for score in OF_EACH_RUN
        ]
        for name, (one, other) in pairs.items()
        if is_enough(len(one["of_runs"]["accuracy"]), one["num_own"])
    }
    figures = [SCORES[score] for score in OF_EACH_RUN]
    return Comparison(ours=ours, figures=figures, less=less) if less else None


def is_enough(num_runs: int, num_own: int) -> bool:
    """Tell whether methods can be compared by so many runs of so many pictures each."""
    return num_runs >= FEWEST_RUNS and num_runs * num_own >= FEWEST_PICTURES


def panels_of(
    lines: Mapping[str, Mapping[float, Values]],
) -> Mapping[str, Mapping[str, Points]]:
    """Return what is to be plotted of some rows: a panel for each of `PLOTTED`.

    Args:
        lines: the figures of rows by the place on a line, by the line's name.
    """
    return {
        SCORES[score]: {
            name: {place: estimate(figures[score]) for place, figures in line.items()}
            for name, line in lines.items()
        }
        for score in PLOTTED
    }


def pieces(strips: Image.Image) -> list[Image.Image]:
    """Return the single pictures of strips that stand one below another, row by row."""
    return [
        strips.crop((left, top, left + SIDE, top + SIDE))
        for top in range(0, strips.height, SIDE)
        for left in range(0, strips.width, SIDE)
    ]
