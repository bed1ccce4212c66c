"""How far pictures are from one another by their features: content, style, and KID.

Legend: C channels of a layer, places its height times its width.
The paper names Johnson et al. 2016 for content and gives for style the distance between the
*average* Gram matrices of outputs and of target pictures; layers and normalisation it does not
give. Ours: every layer counts alike, as a share of its own size (decision 0013).
"""

from collections.abc import Sequence
from statistics import mean

import torch
from torch import Tensor

from ostcli.paper.features import Features

LEAST_DEVIATION = 1e-5
"""Share of the median deviation below which a channel is dead."""
MOST_DEVIATIONS = 10.0
"""A value further from the mean counts as this far: a nearly dead channel must not decide alone."""


def content_distance(source: Features, result: Features) -> float:
    """Return how much of a picture's features has changed: ‖φ(s) − φ(r)‖² ÷ ‖φ(s)‖².

    The average over the layers; 0 for the same picture, some 0.2 for another light, above 1 for
    another scene.

    Raises:
        ValueError: the pictures differ in size.
    Source: Johnson et al. 2016, eq. (2), made relative.
    """
    if any(one.shape != other.shape for one, other in zip(source, result, strict=True)):
        raise ValueError("content is compared between pictures of one size")
    return mean(
        float((one - other).square().sum() / one.square().sum().clamp(min=1e-12))
        for one, other in zip(source, result, strict=True)
    )


def gram_matrices(features: Features) -> list[Tensor]:
    """Return a picture's Gram matrices, by layer, divided by the number of places. Shape (C, C)."""
    return [layer @ layer.T / layer.shape[1] for layer in features]


def style_distance(grams: Sequence[Tensor], target: Sequence[Tensor]) -> float:
    """Return the distance between average Gram matrices: Σ over layers of ‖G − G_B‖ ÷ ‖G_B‖.

    Args:
        grams: of the results, averaged over pictures.
        target: of the folder's pictures.

    Source: Gatys et al. 2016; Benaim & Wolf 2018, Table 2.
    """
    return sum(
        float((one - other).norm() / other.norm().clamp(min=1e-12))
        for one, other in zip(grams, target, strict=True)
    )


def summary(features: Features) -> Tensor:
    """Return the mean of every channel over the picture: what KID and the classifier take.

    Shape (sum of C,).
    """
    return torch.cat([layer.mean(1) for layer in features])


def kernel_distance(results: Tensor, target: Tensor) -> float:
    """Return KID: the unbiased squared maximum mean discrepancy, cubic kernel.

    About 0 for two samples of one distribution, and as often below it as above. Every value is
    standardised by its mean and deviation over the target first, since SqueezeNet's channels differ
    in size by thousands; dead ones are left out.

    Args:
        results, target: summaries of pictures, two of each at least. Shape (pictures, values).
    Raises:
        ValueError: a single picture, or a target of pictures all alike, has no distribution.
    Source: Bińkowski et al. 2018, with our features in place of Inception's.
    """
    if min(len(results), len(target)) < 2:
        raise ValueError("KID needs two pictures on either side")
    mean, deviation = target.mean(0), target.std(0, correction=0)
    alive = deviation > LEAST_DEVIATION * deviation.median()
    if not alive.any():
        raise ValueError("KID needs pictures that differ")
    results, target = (
        ((each - mean)[:, alive] / deviation[alive]).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)
        for each in (results, target)
    )
    within = _mean_of_pairs(_kernel(results, results)) + _mean_of_pairs(_kernel(target, target))
    return float(within - 2 * _kernel(results, target).mean())


def _kernel(one: Tensor, other: Tensor) -> Tensor:
    return (one.double() @ other.double().T / one.shape[1] + 1) ** 3


def _mean_of_pairs(kernel: Tensor) -> Tensor:
    """Return the mean over pairs of two different pictures."""
    number = len(kernel)
    return (kernel - kernel.diag().diag()).sum() / (number * (number - 1))
