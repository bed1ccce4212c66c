"""Watch over a training: numbers that are not finite, and a latent that has collapsed."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor


class Health:
    """Judge each step by its losses; remember how good the reconstruction was at its best.

    A collapsed autoencoder gives no NaN: the latent goes to zero and the reconstruction error from
    a few hundredths to that of a flat picture within some hundred steps (seen on nearly flat
    pictures). So the smoothed error is held against its own best.
    """

    SMOOTHING = 0.98
    """Decay per step of the smoothed reconstruction error: a memory of about 50 steps."""
    GRACE = 200
    """Steps before a collapse can be called."""
    WORSE = 3.0
    """A smoothed error this many times its best is a collapse …"""
    MARGIN = 0.15
    """… if it is also this much above it; pictures range over 2."""
    SOUND = 1.5
    """A smoothed error within this many times its best is worth rolling back to."""
    LATENT_GONE = 1e-3
    """A latent spread below this carries nothing."""

    def __init__(self) -> None:
        self._smoothed = math.nan
        self._best = math.inf
        self._seen = 0

    @property
    def is_sound(self) -> bool:
        """Whether the present state is worth rolling back to."""
        return self._seen < self.GRACE or self._smoothed <= self.SOUND * self._best

    def judge(self, losses: Mapping[str, float], latent_spread: float) -> str | None:
        """Take in one step; return what is wrong in words, or None.

        Args:
            losses: by name; `rec_b` is the folder's reconstruction error.
            latent_spread: standard deviation of the latent's means.
        """
        broken = [name for name, loss in losses.items() if not math.isfinite(loss)]
        if broken:
            return f"the loss {broken[0]} is not a finite number"
        error = losses["rec_b"]
        self._seen += 1
        self._smoothed = (
            error
            if self._seen == 1
            else self.SMOOTHING * self._smoothed + (1 - self.SMOOTHING) * error
        )
        if self._seen < self.GRACE:
            return None
        self._best = min(self._best, self._smoothed)
        if latent_spread < self.LATENT_GONE:
            return "the latent code has collapsed to a constant"
        if self._smoothed > max(self.WORSE * self._best, self._best + self.MARGIN):
            return (
                "the reconstruction has collapsed "
                f"(error {self._smoothed:.3f}, it was {self._best:.3f})"
            )
        return None

    def state(self) -> Tensor:
        """Return what is remembered. Shape (3,)."""
        return torch.tensor([self._smoothed, self._best, self._seen], dtype=torch.float64)

    def load_state(self, state: Tensor) -> None:
        """Go back to a state that `state` returned."""
        self._smoothed, self._best = float(state[0]), float(state[1])
        self._seen = int(state[2])
