"""One line of the bench: what ours takes, what it is held against, and the goal of their ratio."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Row:
    """Ours beside a reference; less is better in every row.

    A rate is a time per picture, a share of the peak is the time that the peak would need: so
    every goal is a largest ratio.
    """

    name: str
    ours: float
    reference: float
    """What ours is held against: measured in the same run, or a number that was set."""
    ratio: float
    """ours ÷ reference; the median over the rounds where both were measured."""
    goal: float
    """The largest ratio that is wanted."""
    ok: bool
    unit: str
    """Of ours and of the reference: "s", "MiB" …"""
    against: str
    """What the reference is, in words."""
    spread: tuple[float, float] | None = None
    """The least and the largest ratio of a round."""
    facts: dict[str, Any] | None = None
    """Whatever else was found."""


def row(
    name: str,
    ours: float,
    reference: float,
    *,
    goal: float,
    unit: str,
    against: str,
    **facts: Any,  # noqa: ANN401 - numbers and words for JSON
) -> Row:
    """Return a row of two numbers."""
    ratio = ours / reference
    return Row(
        name=name,
        ours=ours,
        reference=reference,
        ratio=ratio,
        goal=goal,
        ok=ratio <= goal,
        unit=unit,
        against=against,
        facts=facts or None,
    )


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Seconds of ours and of the reference, measured in turn."""

    ours: tuple[float, ...]
    reference: tuple[float, ...]

    def row(self, name: str, *, goal: float, against: str, **facts: Any) -> Row:  # noqa: ANN401
        """Return the row of these rounds, by medians."""
        ratios = [one / other for one, other in zip(self.ours, self.reference, strict=True)]
        ratio = statistics.median(ratios)
        return Row(
            name=name,
            ours=statistics.median(self.ours),
            reference=statistics.median(self.reference),
            ratio=ratio,
            goal=goal,
            ok=ratio <= goal,
            unit="s",
            against=against,
            spread=(min(ratios), max(ratios)),
            facts=facts or None,
        )


def interleaved(
    ours: Callable[[], object], reference: Callable[[], object], *, rounds: int, warm_up: int = 1
) -> Rounds:
    """Time two things in turn, so that a noisy machine is as noisy to both.

    Args:
        ours: what is timed.
        reference: what it is held against.
        rounds: how often each is timed.
        warm_up: rounds before that are not counted.
    """
    times = [(seconds_of(ours), seconds_of(reference)) for _ in range(warm_up + rounds)]
    of_ours, of_reference = zip(*times[warm_up:], strict=True)
    return Rounds(ours=of_ours, reference=of_reference)


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
