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
    low: float | None = None
    high: float | None = None
    """None where a single figure tells nothing of how far it can be trusted."""

    def excludes(self, value: float) -> bool:
        """Tell whether the interval is known and does not hold a value."""
        return self.low is not None and self.high is not None and not self.low <= value <= self.high


def student(freedom: int) -> float:
    """Return the deviations of a mean of few figures that a 95 % interval reaches: for many 1.96.

    Args:
        freedom: figures less one, at least one.

    Source: Abramowitz & Stegun 1964, 26.7.5; too short by 11 % for two figures, by less than 1 %
    for more.
    """
    terms = (
        1.0,
        (Z**2 + 1) / 4,
        (5 * Z**4 + 16 * Z**2 + 3) / 96,
        (3 * Z**6 + 19 * Z**4 + 17 * Z**2 - 15) / 384,
        (79 * Z**8 + 776 * Z**6 + 1482 * Z**4 - 1920 * Z**2 - 945) / 92160,
    )
    return Z * sum((term / freedom**power for power, term in enumerate(terms)), 0.0)


def share(right: Sequence[bool]) -> Estimate:
    """Return how many of some independent trials came right, 0 to 1.

    Args:
        right: one for each trial, at least one.

    Source: Wilson 1927, the score interval.
    """
    return _wilson(sum(right) / len(right), len(right))


def share_of_runs(right: Sequence[Sequence[bool]]) -> Estimate:
    """Return `share` of runs that have several trials each: only runs are independent.

    A single run has no interval: its trials say nothing of another run.

    Args:
        right: for each run, one for each trial; all have as many.
    """
    shares = [sum(run) / len(run) for run in right]
    variance = stdev(shares) ** 2 / len(shares) if len(shares) > 1 else 0.0
    return _of_runs(mean(shares), variance, right)


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
    if len(values) == 1:
        return Estimate(value)
    reach = student(len(values) - 1) * stdev(values) / sqrt(len(values))
    return Estimate(value, value - reach, value + reach)


def jackknife(value: float, without: Sequence[float]) -> Estimate:
    """Return a figure of many pictures together, with its interval over the pictures.

    Args:
        value: of all of them.
        without: of all but a part of them, a single one or more, for each part in turn; fewer than
            two give no interval.

    Source: Efron & Stein 1981; by parts, Kott 2001.
    """
    number = len(without)
    if number < 2:
        return Estimate(value)
    centre = mean(without)
    variance = (number - 1) / number * sum((each - centre) ** 2 for each in without)
    reach = student(number - 1) * sqrt(variance)
    return Estimate(value, value - reach, value + reach)


def difference(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """Return how much more one way comes to than another on the same pictures, in their mean.

    Args:
        one, other: a figure for each picture, in the same order.
    """
    return average([mine - theirs for mine, theirs in zip(one, other, strict=True)])


def difference_of_shares(one: Sequence[float], other: Sequence[float], num_trials: int) -> Estimate:
    """Return `difference` of the share that comes right of each run.

    Where all runs differ alike, the interval is that of two runs more, of which one has a trial
    more right and one a trial less: that a few agree does not show that all would.

    Args:
        one, other: a share for each run, 0 to 1, in the same order.
        num_trials: of each run.

    Source: in the manner of Agresti & Min 2005.
    """
    apart = [mine - theirs for mine, theirs in zip(one, other, strict=True)]
    step = 1 / num_trials
    if max(apart) - min(apart) > step / 2 or len(apart) == 1:
        return average(apart)
    value = mean(apart)
    wider = average([*apart, value - step, value + step])
    return Estimate(value, wider.low, wider.high)


def balanced_average(right: Sequence[Sequence[bool]], labels: Sequence[Sequence[int]]) -> Estimate:
    """Return `balanced_share` of runs that have several trials each: see `share_of_runs`.

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
    variance = number / (number - 1) * sum(part * part for part in parts) if number > 1 else 0.0
    return _of_runs(mean(shares.values()), variance, right)


def _of_runs(value: float, variance: float, right: Sequence[Sequence[bool]]) -> Estimate:
    """Return the interval of a share of runs, by the number of trials that know it as well.

    Source: Korn & Graubard 1998; where runs come out alike, each counts as one trial.
    """
    if len(right) == 1:
        return Estimate(value)
    num_trials = sum(len(run) for run in right)
    number = min(num_trials, value * (1 - value) / variance) if variance > 0 else len(right)
    return _wilson(value, number * (Z / student(len(right) - 1)) ** 2)


def _wilson(value: float, number: float) -> Estimate:
    """Return the interval of a share of so many independent trials."""
    wider = 1 + Z * Z / number
    centre = (value + Z * Z / (2 * number)) / wider
    reach = Z * sqrt(value * (1 - value) / number + Z * Z / (4 * number * number)) / wider
    low, high = max(0.0, centre - reach), min(1.0, centre + reach)
    return Estimate(value, min(low, value), max(high, value))  # Which rounding may leave out.
