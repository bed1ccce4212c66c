"""Shares with their 95 % intervals: how far a table's figure can be trusted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, mean, stdev

Z = NormalDist().inv_cdf(0.975)
"""Of a 95 % interval."""


@dataclass(frozen=True)
class Estimate:
    """A figure with the interval that holds the true one in 95 of 100 experiments."""

    value: float
    low: float
    high: float


def share(right: Sequence[bool]) -> Estimate:
    """Return how many of some independent trials came right, 0 to 1.

    Args:
        right: one for each trial, at least one.

    Source: Wilson 1927, the score interval.
    """
    number = len(right)
    value = sum(right) / number
    centre = (value + Z * Z / (2 * number)) / (1 + Z * Z / number)
    reach = (Z * sqrt(value * (1 - value) / number + Z * Z / (4 * number * number))) / (
        1 + Z * Z / number
    )
    return Estimate(value, max(0.0, centre - reach), min(1.0, centre + reach))


def balanced_share(right: Sequence[bool], labels: Sequence[int]) -> Estimate:
    """Return the mean over labels of the share that came right: no label counts for more.

    Args:
        right: one for each trial.
        labels: of the trials, in their order; those that do not occur are left out.

    Source: Agresti & Coull 1998 for each label's variance: its own share would give a label of
    which all came out alike none.
    """
    of_label: dict[int, list[bool]] = {}
    for label, one in zip(labels, right, strict=True):
        of_label.setdefault(label, []).append(one)
    parts = list(of_label.values())
    value = mean(sum(part) / len(part) for part in parts)
    variance = 0.0
    for part in parts:
        number = len(part) + 4
        adjusted = (sum(part) + 2) / number
        variance += adjusted * (1 - adjusted) / number
    reach = Z * sqrt(variance) / len(parts)
    return Estimate(value, max(0.0, value - reach), min(1.0, value + reach))


def average(values: Sequence[float]) -> Estimate:
    """Return the mean of some independent figures; a single one has no interval.

    Args:
        values: at least one.
    """
    value = mean(values)
    reach = Z * stdev(values) / sqrt(len(values)) if len(values) > 1 else 0.0
    return Estimate(value, value - reach, value + reach)


def jackknife(value: float, without: Sequence[float]) -> Estimate:
    """Return a figure of many pictures together, with its interval over the pictures.

    Args:
        value: of all of them.
        without: of all but one, for each of them in turn; at least two.

    Source: Efron & Stein 1981.
    """
    number, centre = len(without), mean(without)
    reach = Z * sqrt((number - 1) / number * sum((each - centre) ** 2 for each in without))
    return Estimate(value, value - reach, value + reach)


def difference(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """Return how much more one way comes to than another on the same runs, in their mean.

    Args:
        one, other: a figure for each run, in the same order.
    """
    return average([mine - theirs for mine, theirs in zip(one, other, strict=True)])


def balanced_average(right: Sequence[Sequence[bool]], labels: Sequence[Sequence[int]]) -> Estimate:
    """Return `balanced_share` of runs that have several trials each: only runs are independent.

    Args:
        right: for each run, one for each trial.
        labels: of the trials, likewise; those that do not occur are left out.

    Source: the variance of a ratio estimate by clusters, Cochran 1977.
    """
    counts: Counter[int] = Counter(label for run in labels for label in run)
    hits = Counter(
        label
        for run, of_run in zip(right, labels, strict=True)
        for one, label in zip(run, of_run, strict=True)
        if one
    )
    shares = {label: hits[label] / count for label, count in counts.items()}
    parts = [
        sum((one - shares[label]) / counts[label] for one, label in zip(run, of_run, strict=True))
        / len(counts)
        for run, of_run in zip(right, labels, strict=True)
    ]
    number = len(parts)
    spread = sqrt(number / (number - 1) * sum(part * part for part in parts)) if number > 1 else 0.0
    value = mean(shares.values())
    return Estimate(value, max(0.0, value - Z * spread), min(1.0, value + Z * spread))
