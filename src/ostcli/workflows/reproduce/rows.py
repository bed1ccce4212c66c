"""A row of a table of digits: a method, what it came to, and a strip of its pictures."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from PIL import Image
from torch import Tensor

from ostcli.events import Note
from ostcli.images.sheet import contact_sheet
from ostcli.images.tensors import tensor_to_image
from ostcli.paper.digits.controls import in_colours
from ostcli.paper.digits.layers import SIDE
from ostcli.paper.intervals import Estimate
from ostcli.workflows.reproduce.book import Book, Values
from ostcli.workflows.reproduce.digits import DigitLab, Drawn
from ostcli.workflows.reproduce.methods import DigitMethod
from ostcli.workflows.reproduce.request import Request

SHOWN = 20
"""Runs whose pictures a strip shows, at most."""
TILE = 40
"""Pixels of each in a sheet …"""
LABEL = 320
"""… and of the name beside a row."""


@dataclass(frozen=True)
class DigitRows:
    """Make the rows of one table, or find those that were made before.

    Args:
        lab: the direction.
        book: where rows are kept.
        request: which rows, of how many runs.
    """

    lab: DigitLab
    book: Book
    request: Request

    def of(self, name: str, method: DigitMethod, num_own: int = 1) -> Values | None:
        """Return a row's figures; None if it is not asked for and was not made before.

        Args:
            name: of the row in its table.
            method: what translates.
            num_own: pictures of A that each run has.
        """
        lab, drawn = self.lab, self.lab.drawn(self.request.runs, num_own)
        settings = {
            **lab.settings,
            "method": method.settings,
            "runs": len(drawn.labels),
            "own": num_own,
        }
        found = self.book.found(name, settings)
        if found is not None or not self.request.wants(name):
            return found
        lab.watch.check()
        lab.watch.on_event(Note(text=f"{lab.task.title}, row: {name}"))
        made, figures = self._make(method, drawn)
        self.book.keep_pictures(name, [strip(made[:, 0])])
        return self.book.keep(name, settings, figures)

    def sheet(self, names: Sequence[str]) -> Image.Image:
        """Return the strips of rows below the pictures of A that they are of."""
        drawn = self.lab.drawn(self.request.runs)
        strips = {f"x, {self.lab.a.name}": strip(drawn.pictures[:, 0])}
        strips |= {name: image for name in names for image in self.book.pictures(name)}
        rows = [pieces(image) for image in strips.values()]
        return contact_sheet(
            rows,
            columns=[""] * len(rows[0]),
            row_labels=list(strips),
            tile=TILE,
            widest_label=LABEL,
        )

    def _make(self, method: DigitMethod, drawn: Drawn) -> tuple[Tensor, Values]:
        """Return T_AB of each run's pictures, and the row's figures."""
        began = time.monotonic()
        looks = method.translate(self.lab, drawn)
        seconds = time.monotonic() - began
        last = max(looks)
        scores = self.lab.judge.score(looks[last], drawn.labels)
        figures = {**asdict(scores), "steps": last, "seconds_each": seconds / len(drawn.labels)}
        return looks[last], figures


def strip(pictures: Tensor) -> Image.Image:
    """Return the first pictures of some, side by side.

    Args:
        pictures: Shape (K, C, 32, 32), range [-1, 1].
    """
    return tensor_to_image(torch.cat(list(in_colours(pictures[:SHOWN], 3)), dim=-1))


def estimate(values: Mapping[str, float]) -> Estimate:
    """Return an estimate of a row on the disk."""
    return Estimate(**values)


def cell(values: Mapping[str, float] | None) -> str:
    """Return an estimate with its interval, for people."""
    if values is None:
        return "–"
    return "{value:.3f} [{low:.2f}, {high:.2f}]".format(**values)


def pieces(strips: Image.Image) -> list[Image.Image]:
    """Return the single pictures of strips that stand one below another, row by row."""
    return [
        strips.crop((left, top, left + SIDE, top + SIDE))
        for top in range(0, strips.height, SIDE)
        for left in range(0, strips.width, SIDE)
    ]
