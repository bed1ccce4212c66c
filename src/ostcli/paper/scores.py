"""The figures of a table's row, for one way of translating some pictures."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from statistics import mean

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


class Measured:
    """The results of one way of translating, one after the other."""

    def __init__(self) -> None:
        self._rows: list[dict[str, float]] = []
        self.seen = Gathered()
        """The features of all of them."""

    def add(self, measurement: Measurement) -> None:
        """Take in a result."""
        self._rows.append(measurement.figures)
        if measurement.seen:
            self.seen.add(measurement.seen)

    def scores(
        self, folder: Gathered | None, classifier: DomainClassifier | None
    ) -> tuple[Scores, list[PictureScores]]:
        """Return the row of the table, and each picture's own figures.

        Args:
            folder: real pictures of B, if there are features.
            classifier: for the probability of B.
        """
        rows = [dict(row) for row in self._rows]
        together = {} if folder is None else figures_of(self.seen, folder)
        if classifier is not None:
            of_b = classifier.probability_of_b(self.seen.summaries)
            for row, probability in zip(rows, of_b, strict=True):
                row["domain"] = probability
        known = {name: [row[name] for row in rows if name in row] for name in OF_EACH}
        averages = {name: mean(values) for name, values in known.items() if values}
        return Scores(**averages, **together), [PictureScores(**row) for row in rows]


@dataclass(frozen=True, kw_only=True)
class Estimated:
    """What one way of translating comes to, with how far that can be trusted."""

    scores: Mapping[str, Estimate]
    """By figure, with its 95 % interval over the pictures."""
    of_each: Sequence[PictureScores]
    """Of each result."""
    without: Sequence[Mapping[str, float]] = ()
    """The figures of all together but for one result, for each of them in turn."""

    def less(self, other: "Estimated", figure: str) -> Estimate | None:
        """Return how much more of a figure this way comes to than another, of the same sources.

        Args:
            other: the results in the same order.
            figure: a name of `FIGURES`.

        Returns:
            The difference with its 95 % interval; None where one of the two has no such figure.
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


def estimates(
    results: Sequence[Measurement], folder: Gathered | None, classifier: DomainClassifier | None
) -> Estimated:
    """Return every figure of some results with its interval.

    Args:
        results: of one way of translating.
        folder, classifier: as `Measured.scores` takes them.
    """
    measured = Measured()
    for result in results:
        measured.add(result)
    together, of_each = measured.scores(folder, classifier)
    found: dict[str, Estimate] = {}
    for name in OF_EACH:
        values = [value for row in of_each if (value := getattr(row, name)) is not None]
        if values:
            found[name] = average(values)
    digests = [result.seen for result in results if result.seen]
    without = [
        figures_of(Gathered(digests[:index] + digests[index + 1 :]), folder)
        for index in range(len(digests))
        if folder is not None and len(digests) > 1
    ]
    for name in OF_ALL:
        value = getattr(together, name)
        if value is not None:
            found[name] = jackknife(value, [each[name] for each in without if name in each])
    return Estimated(scores=found, of_each=of_each, without=without)


def figures_of(pictures: Gathered, folder: Gathered) -> dict[str, float]:
    """Return the figures of many pictures together; no KID where there is no distribution."""
    figures = {"style": style_distance(pictures.grams, folder.grams)}
    with suppress(ValueError):
        figures["kid"] = kernel_distance(pictures.summaries, folder.summaries)
    return figures


def real_scores(
    pictures: Gathered, folder: Gathered, classifier: DomainClassifier | None
) -> Scores:
    """Return the figures of real pictures of B that no training saw: what a result can be at best.

    Args:
        pictures: such ones.
        folder: those that results are held against.
        classifier: for the probability of B.
    """
    domain: dict[str, float] = {}
    if classifier is not None:
        domain["domain"] = mean(classifier.probability_of_b(pictures.summaries))
    return Scores(**domain, **figures_of(pictures, folder))


def known_figures(scores: Sequence[Scores]) -> list[str]:
    """Return the figures that at least one of these rows has, in order."""
    return [f for f in FIGURES if any(getattr(row, f) is not None for row in scores)]
