"""The figures of a table's row, for one way of translating some pictures."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields

import torch
from PIL import Image
from torch import Tensor

from ostcli.images.measure import (
    WINDOW,
    artefacts,
    detail_correlation,
    mean_absolute_error,
    share_within,
)
from ostcli.paper.distances import (
    content_distance,
    gram_matrices,
    kernel_distance,
    style_distance,
    summary,
)
from ostcli.paper.domain import DomainClassifier
from ostcli.paper.features import Features
from ostcli.paper.intervals import Estimate, average, difference, jackknife


@dataclass(frozen=True, kw_only=True)
class PictureScores:
    """The figures of one result; None where nothing was given to measure it by."""

    content: float | None = None
    """Content distance between source and result; 0 is unchanged."""
    domain: float | None = None
    """Probability of B, 0 to 1."""
    artefacts: float | None = None
    """Deviation where the source is flat, in levels of 255; None below 9 pixels a side."""
    error: float | None = None
    """Mean absolute difference to the truth, 0 to 1."""
    detail: float | None = None
    """Correlation of the high-passed luminance with the truth's, -1 to 1."""
    within: float | None = None
    """Share of pixels within 16 of 255 levels of the truth, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Scores(PictureScores):
    """What one way of translating comes to: means over pictures, and figures of all together."""

    style: float | None = None
    """Style distance of all results together to the folder; real pictures of B tell its floor."""
    kid: float | None = None
    """KID of all results together to the folder, about 0 for real pictures of B."""


OF_EACH = tuple(each.name for each in fields(PictureScores))
"""The figures that every picture has of its own."""
OF_ALL = ("style", "kid")
"""Those of all results together."""
NUM_PARTS = 10
"""Of the results of one way of translating, for the intervals of those."""
FIGURES = ("content", "style", "domain", "kid", "artefacts", "error", "detail", "within")
"""The columns of a table of scores, in order."""


@dataclass(frozen=True)
class Digest:
    """What is kept of a picture's features: their own size would fill memory."""

    grams: list[Tensor]
    """By layer. Shape (C, C)."""
    summary: Tensor
    """Shape (values,)."""

    @classmethod
    def of(cls, features: Features) -> "Digest":
        """Return a picture's."""
        return cls(gram_matrices(features), summary(features))


class Gathered:
    """The features of many pictures together.

    Args:
        pictures: taken in at once.
    """

    def __init__(self, pictures: Iterable[Digest] = ()) -> None:
        self._grams: list[Tensor] = []
        self._summaries: list[Tensor] = []
        for picture in pictures:
            self.add(picture)

    def __len__(self) -> int:
        return len(self._summaries)

    def add(self, picture: Digest) -> None:
        """Take in a picture."""
        before = self._grams or [torch.zeros_like(gram) for gram in picture.grams]
        self._grams = [total + gram for total, gram in zip(before, picture.grams, strict=True)]
        self._summaries.append(picture.summary)

    @classmethod
    def together(cls, several: Iterable["Gathered"]) -> "Gathered":
        """Return the features of all pictures of several."""
        whole = cls()
        for one in several:
            before = whole._grams or [torch.zeros_like(gram) for gram in one._grams]
            if len(one):
                whole._grams = [a + b for a, b in zip(before, one._grams, strict=True)]
                whole._summaries += one._summaries
        return whole

    @property
    def grams(self) -> list[Tensor]:
        """The average Gram matrix of each layer. Shape (C, C)."""
        return [total / len(self) for total in self._grams]

    @property
    def summaries(self) -> Tensor:
        """The summary of each picture. Shape (pictures, values)."""
        return torch.stack(self._summaries)


@dataclass(frozen=True)
class Measurement:
    """One result, measured."""

    figures: dict[str, float]
    """By the names of `PictureScores`; all but the probability of B."""
    seen: Digest | None
    """For what is measured of many results together."""


def measure(
    result: Image.Image,
    source: Image.Image,
    *,
    truth: Image.Image | None = None,
    features: tuple[Features, Features] | None = None,
) -> Measurement:
    """Measure one result.

    Args:
        result: RGB, of its source's size.
        source: RGB.
        truth: the true partner, of the same size.
        features: of the source and of the result.
    """
    figures: dict[str, float] = {}
    if features is not None:
        figures["content"] = content_distance(*features)
    if min(source.size) >= WINDOW:
        figures["artefacts"] = artefacts(result, source)
    if truth is not None:
        figures["error"] = mean_absolute_error(result, truth)
        figures["detail"] = detail_correlation(result, truth)
        figures["within"] = share_within(result, truth)
    return Measurement(figures, Digest.of(features[1]) if features else None)


@dataclass(frozen=True, kw_only=True)
class Estimated:
    """What one way of translating comes to, with how far that can be trusted."""

    scores: Mapping[str, Estimate]
    """By figure, with its 95 % interval over the pictures."""
    of_each: Sequence[PictureScores]
    """Of each result."""
    without: Sequence[Mapping[str, float]] = ()
    """The figures of all together but for a part of the results, a tenth or a single one, for each
    part in turn."""

    @property
    def means(self) -> Scores:
        """The figures alone."""
        return Scores(**{name: estimate.value for name, estimate in self.scores.items()})

    def less(self, other: "Estimated", figure: str) -> Estimate | None:
        """Return how much more of a figure this way comes to than another, of the same sources.

        Args:
            other: the results in the same order.
            figure: a name of `FIGURES`.

        Returns:
            The difference with its 95 % interval; None where one of the two has no such figure.

        Raises:
            ValueError: the two are of different numbers of pictures.
        """
        if figure in OF_EACH:
            ones, others = (
                [getattr(each, figure) for each in way.of_each] for way in (self, other)
            )
            return None if None in [*ones, *others] else difference(ones, others)
        mine, theirs = self.scores.get(figure), other.scores.get(figure)
        if mine is None or theirs is None:
            return None
        without = [
            one[figure] - another[figure]
            for one, another in zip(self.without, other.without, strict=True)
            if figure in one and figure in another
        ]
        return jackknife(mine.value - theirs.value, without)


class Measured:
    """The results of one way of translating, one after the other.

    The features of all of them together are kept in ten parts at most, which are left out in turn
    for the intervals of what is measured of many: each picture's own would fill memory.
    """

    def __init__(self) -> None:
        self._rows: list[dict[str, float]] = []
        self._parts = [Gathered() for _ in range(NUM_PARTS)]
        self._summaries: list[Tensor] = []

    def add(self, measurement: Measurement) -> None:
        """Take in a result."""
        self._rows.append(measurement.figures)
        if measurement.seen:
            self._parts[len(self._summaries) % NUM_PARTS].add(measurement.seen)
            self._summaries.append(measurement.seen.summary)

    def estimated(self, folder: Gathered | None, classifier: DomainClassifier | None) -> Estimated:
        """Return every figure with its interval, and each picture's own figures.

        Args:
            folder: real pictures of B, if there are features.
            classifier: for the probability of B.
        """
        rows = [dict(row) for row in self._rows]
        if classifier is not None:
            of_b = classifier.probability_of_b(torch.stack(self._summaries))
            for row, probability in zip(rows, of_b, strict=True):
                row["domain"] = probability
        known = {name: [row[name] for row in rows if name in row] for name in OF_EACH}
        found = {name: average(values) for name, values in known.items() if values}
        without: list[dict[str, float]] = []
        if folder is not None:
            parts = [part for part in self._parts if len(part)]
            if len(parts) > 1:
                without = [
                    figures_of(Gathered.together(parts[:index] + parts[index + 1 :]), folder)
                    for index in range(len(parts))
                ]
            for name, value in figures_of(Gathered.together(parts), folder).items():
                found[name] = jackknife(value, [each[name] for each in without if name in each])
        return Estimated(
            scores=found, of_each=[PictureScores(**row) for row in rows], without=without
        )


def figures_of(pictures: Gathered, folder: Gathered) -> dict[str, float]:
    """Return the figures of many pictures together; no KID where there is no distribution."""
    figures = {"style": style_distance(pictures.grams, folder.grams)}
    with suppress(ValueError):
        figures["kid"] = kernel_distance(pictures.summaries, folder.summaries)
    return figures


def estimated_of_real(
    draws: Sequence[Gathered], folder: Gathered, classifier: DomainClassifier | None
) -> Estimated:
    """Return the figures of real pictures of B that no training saw: what a result can be at best.

    Args:
        draws: as many such pictures each as there are results, for style and KID tell of that too.
        folder: those that results are held against.
        classifier: for the probability of B.
    """
    found: dict[str, Estimate] = {}
    if classifier is not None:
        found["domain"] = average(
            [of_b for draw in draws for of_b in classifier.probability_of_b(draw.summaries)]
        )
    of_draws = [figures_of(draw, folder) for draw in draws]
    for name in OF_ALL:
        values = [figures[name] for figures in of_draws if name in figures]
        if values:
            found[name] = average(values)
    return Estimated(scores=found, of_each=())


def known_figures(scores: Sequence[Scores]) -> list[str]:
    """Return the figures that at least one of these rows has, in order."""
    return [f for f in FIGURES if any(getattr(row, f) is not None for row in scores)]
