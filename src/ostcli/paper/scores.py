"""The figures of a table's row, for one way of translating some pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import mean

import torch
from PIL import Image
from torch import Tensor

from ostcli.images.measure import (
    artefacts,
    detail_correlation,
    mean_absolute_error,
    share_within,
)
from ostcli.paper.distances import (
    content_distance,
    kernel_distance,
    mean_grams,
    style_distance,
    summary,
)
from ostcli.paper.domain import DomainClassifier, train_classifier
from ostcli.paper.features import Features, PerceptualNetwork


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What one way of translating comes to; None where nothing was given to measure it by."""

    content: float | None = None
    """Content distance between source and result, the mean over pictures; 0 is unchanged."""
    style: float | None = None
    """Style distance of all results together to the folder; real pictures of B tell its floor."""
    domain: float | None = None
    """Probability of B, the mean over pictures, 0 to 1."""
    kid: float | None = None
    """KID of all results together to the folder, about 0 for real pictures of B."""
    artefacts: float | None = None
    """Deviation where the source is flat, in levels of 255, the mean over pictures."""
    error: float | None = None
    """Mean absolute difference to the truth, 0 to 1."""
    detail: float | None = None
    """Correlation of the high-passed luminance with the truth's, -1 to 1."""
    within: float | None = None
    """Share of pixels within 16 of 255 levels of the truth, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class PictureScores:
    """The figures of one result; those of many together are `Scores` alone."""

    content: float | None = None
    domain: float | None = None
    artefacts: float | None = None
    error: float | None = None
    detail: float | None = None
    within: float | None = None


class PerceptualRuler:
    """What is known of the two domains by their features.

    Args:
        network: gives the features.
        folder: real pictures of B. RGB, any sizes, two at least.
        domain_a: pictures of A, the sources among them. RGB, any sizes, two at least.

    Raises:
        UsageError: see `train_classifier`.
    """

    def __init__(
        self,
        network: PerceptualNetwork,
        folder: Sequence[Image.Image],
        domain_a: Sequence[Image.Image],
    ) -> None:
        self.features_of = network
        features_b = [network(picture) for picture in folder]
        self.grams_b = mean_grams(features_b)
        self.summaries_b = _summaries(features_b)
        self.classifier: DomainClassifier = train_classifier(
            _summaries([network(picture) for picture in domain_a]), self.summaries_b
        )

    def of_all(self, results: Sequence[Features]) -> dict[str, float]:
        """Return the figures of many results together; none of KID for a single one."""
        figures = {"style": style_distance(mean_grams(results), self.grams_b)}
        if len(results) > 1:
            figures["kid"] = kernel_distance(_summaries(results), self.summaries_b)
        return figures

    def probabilities(self, results: Sequence[Features]) -> list[float]:
        """Return the probability of B of each result."""
        return self.classifier.probability_of_b(_summaries(results))


def score_pictures(
    results: Sequence[Image.Image],
    sources: Sequence[Image.Image],
    *,
    truths: Sequence[Image.Image] | None = None,
    ruler: PerceptualRuler | None = None,
) -> tuple[Scores, list[PictureScores]]:
    """Measure one way of translating.

    Args:
        results: RGB, each of its source's size.
        sources: RGB.
        truths: the true partners, each of its source's size.
        ruler: for what needs features.

    Returns:
        The row of the table, and each picture's own figures.
    """
    rows = [
        {"artefacts": artefacts(result, source)}
        for result, source in zip(results, sources, strict=True)
    ]
    together: dict[str, float] = {}
    if truths is not None:
        for row, result, truth in zip(rows, results, truths, strict=True):
            row["error"] = mean_absolute_error(result, truth)
            row["detail"] = detail_correlation(result, truth)
            row["within"] = share_within(result, truth)
    if ruler is not None:
        features = [ruler.features_of(result) for result in results]
        together = ruler.of_all(features)
        domains = ruler.probabilities(features)
        for row, source, seen, domain in zip(rows, sources, features, domains, strict=True):
            row["content"] = content_distance(ruler.features_of(source), seen)
            row["domain"] = domain
    averages = {name: mean(row[name] for row in rows) for name in rows[0]}
    return Scores(**averages, **together), [PictureScores(**row) for row in rows]


def score_real(pictures: Sequence[Image.Image], ruler: PerceptualRuler) -> Scores:
    """Measure real pictures of B that the ruler has not seen: what a result can be at best."""
    features = [ruler.features_of(picture) for picture in pictures]
    probabilities = ruler.probabilities(features)
    return Scores(domain=mean(probabilities), **ruler.of_all(features))


FIGURES = tuple(field.name for field in fields(Scores))
"""The columns of a table of scores, in order."""


def _summaries(features: Sequence[Features]) -> Tensor:
    return torch.stack([summary(each) for each in features])
