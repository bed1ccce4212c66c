"""Watch over a training: numbers that are not finite, a latent or a picture that has collapsed."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor


class Health:
    """Judge each step by its losses; remember how good the reconstruction was at its best.

    A collapsed autoencoder gives no NaN: the latent goes to zero and the reconstruction error from
    a few hundredths to that of a flat picture within some hundred steps (seen on nearly flat
    pictures). So the smoothed error is held against its own best. A network that never learnt to
    see has no best worth the name: its error is held against that of the views' mean colours.
    """

    SMOOTHING = 0.98
    """Decay per step of the smoothed errors: a memory of about 50 steps."""
    BEST_FROM = 20
    """Steps before a smoothed error counts as the best."""
    GRACE = 50
    """Steps before a collapse can be called; phase II has only some hundred."""
    GRACE_FLAT = 400
    """Steps in which a network may do worse than the views' mean colours; later it may …"""
    STUCK = 200
    """… as long as it comes to a new best within so many steps: slow is not collapsed."""
    WORSE = 3.0
    """A smoothed error this many times its best is a collapse …"""
    MARGIN = 0.15
    """… if it is also this much above it; pictures range over 2. So too above flat colour."""
    SOUND = 1.5
    """A smoothed error within this many times its best is worth rolling back to."""
    LATENT_GONE = 1e-3
    """A latent spread below this carries nothing."""

    def __init__(self) -> None:
        self._smoothed = 0.0
        self._smoothed_flat = 0.0
        self._best = math.inf
        self._best_at = 0
        self._seen = 0

    @property
    def is_sound(self) -> bool:
        """Whether the present state is worth rolling back to."""
        return self._smoothed <= self.SOUND * self._best

    @property
    def _is_stuck(self) -> bool:
        """Whether the network does worse than flat colour, and gets no better."""
        return (
            self._seen >= self.GRACE_FLAT
            and self._seen - self._best_at >= self.STUCK
            and self._smoothed > self._smoothed_flat + self.MARGIN
        )

    def judge(
        self, losses: Mapping[str, float], latent_spread: float, flat_error: float
    ) -> str | None:
        """Take in one step; return what is wrong in words, or None.

        Args:
            losses: by name; `rec_b` is the folder's reconstruction error.
            latent_spread: standard deviation of the latent's means.
            flat_error: the reconstruction error of the views' mean colours.
        """
        broken = [name for name, loss in losses.items() if not math.isfinite(loss)]
        if broken:
            return f"the loss {broken[0]} is not a finite number"
        self._take_in(losses["rec_b"], flat_error)
        if self._seen < self.GRACE:
            return None
        if latent_spread < self.LATENT_GONE:
            return "the latent code has collapsed to a constant"
        if self._smoothed > max(self.WORSE * self._best, self._best + self.MARGIN):
            return (
                "the reconstruction has collapsed "
                f"(error {self._smoothed:.3f}, it was {self._best:.3f})"
            )
        if self._is_stuck:
            return (
                "the reconstruction is worse than flat colour "
                f"(error {self._smoothed:.3f}, flat {self._smoothed_flat:.3f})"
            )
        return None

    def _take_in(self, error: float, flat_error: float) -> None:
        """Smooth the errors: their plain mean at first, a mean with short memory then."""
        self._seen += 1
        weight = max(1 - self.SMOOTHING, 1 / self._seen)
        self._smoothed += weight * (error - self._smoothed)
        self._smoothed_flat += weight * (flat_error - self._smoothed_flat)
        if self._seen >= self.BEST_FROM and self._smoothed < self._best:
            self._best, self._best_at = self._smoothed, self._seen

    def state(self) -> Tensor:
        """Return what is remembered. Shape (5,)."""
        return torch.tensor(
            [self._smoothed, self._smoothed_flat, self._best, self._best_at, self._seen],
            dtype=torch.float64,
        )

    def load_state(self, state: Tensor) -> None:
        """Go back to a state that `state` returned."""
        self._smoothed, self._smoothed_flat, self._best, best_at, seen = state.tolist()
        self._best_at, self._seen = int(best_at), int(seen)
