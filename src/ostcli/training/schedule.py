"""How long a training lasts and how its rate falls."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A budget of steps or of seconds, and the last share of it in which the rate falls to 0.

    Args:
        num_steps: the budget in steps; None if it is one of time.
        seconds: the budget in seconds; None if it is one of steps.
        decay_share: share of the budget, 0 to 1.

    Source: authors' code: 60 epochs constant, 20 falling linearly.
    """

    num_steps: int | None
    seconds: float | None
    decay_share: float

    def done(self, step: int, seconds: float) -> float:
        """Return the share of the budget that is used after this many steps and seconds."""
        if self.num_steps is not None:
            return step / self.num_steps
        assert self.seconds is not None
        return seconds / self.seconds

    def rate(self, step: int, seconds: float) -> float:
        """Return the share of the learning rate for the next step, 0 to 1."""
        left = 1.0 - self.done(step, seconds)
        if self.decay_share == 0.0:
            return 1.0
        return max(0.0, min(1.0, left / self.decay_share))

    def steps_in_all(self, step: int, seconds: float, seconds_per_step: float) -> int:
        """Return the number of steps of the whole budget; an estimate if it is one of time."""
        if self.num_steps is not None:
            return self.num_steps
        assert self.seconds is not None
        left = max(0.0, self.seconds - seconds)
        return step + round(left / seconds_per_step)
