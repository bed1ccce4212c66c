"""Watch over a training: numbers that are not finite, a latent or a picture that has collapsed."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor


class SmoothedError:
    """A loss over the last steps, and how good it was at its best."""

    SMOOTHING = 0.98
    """Decay per step: a memory of about 50 steps."""
    BEST_FROM = 20
    """Steps before a smoothed error counts as the best."""
    WORSE = 3.0
    """A smoothed error this many times its best is a collapse …"""
    MARGIN = 0.15
    """… if it is also this much above it; pictures range over 2."""
    SOUND = 1.5
    """A smoothed error within this many times its best is worth rolling back to."""

    def __init__(self) -> None:
        self.value = 0.0
        self.best = math.inf
        self.best_at = 0
        self.seen = 0

    def take_in(self, error: float) -> None:
        """Smooth one more error: their plain mean at first, a mean with short memory then."""
        self.seen += 1
        self.value += max(1 - self.SMOOTHING, 1 / self.seen) * (error - self.value)
        if self.seen >= self.BEST_FROM and self.value < self.best:
            self.best, self.best_at = self.value, self.seen

    @property
    def has_collapsed(self) -> bool:
        """Whether it is far worse than at its best."""
        return self.value > max(self.WORSE * self.best, self.best + self.MARGIN)

    @property
    def is_sound(self) -> bool:
        """Whether it is near its best."""
        return self.value <= self.SOUND * self.best

    def state(self) -> list[float]:
        """Return what is remembered, four numbers."""
        return [self.value, self.best, self.best_at, self.seen]

    def load_state(self, state: list[float]) -> None:
        """Go back to a state that `state` returned."""
        self.value, self.best, best_at, seen = state
        self.best_at, self.seen = int(best_at), int(seen)


class Health:
    """Judge each step by its losses; remember how good the reconstructions were at their best.

    A collapsed autoencoder gives no NaN: the latent goes to zero and the reconstruction error from
    a few hundredths to that of a flat picture within some hundred steps (seen on nearly flat
    pictures). So the smoothed error is held against its own best, the folder's in both phases and
    the example's in the second. A network that never learnt to see has no best worth the name: its
    error is held against that of the views' mean colours.
    """

    GRACE = 50
    """Steps before a collapse can be called; phase II has only some hundred."""
    GRACE_FLAT = 400
    """Steps in which a network may do worse than the views' mean colours; later it may …"""
    STUCK = 200
    """… as long as it comes to a new best within so many steps: slow is not collapsed."""
    LATENT_GONE = 1e-3
    """A latent spread below this carries nothing."""

    def __init__(self) -> None:
        self._folder, self._example, self._flat = (SmoothedError() for _ in range(3))
        self._all = (self._folder, self._example, self._flat)

    @property
    def is_sound(self) -> bool:
        """Whether the present state is worth rolling back to.

        The folder's error alone tells: the example's wanders by half in any phase II.
        """
        return self._folder.is_sound

    @property
    def _is_stuck(self) -> bool:
        """Whether the network does worse than flat colour, and gets no better."""
        folder = self._folder
        return (
            folder.seen >= self.GRACE_FLAT
            and folder.seen - folder.best_at >= self.STUCK
            and folder.value > self._flat.value + SmoothedError.MARGIN
        )

    def judge(
        self, losses: Mapping[str, float], latent_spread: float, flat_error: float
    ) -> str | None:
        """Take in one step; return what is wrong in words, or None.

        Args:
            losses: by name; `rec_b` is the folder's reconstruction error, `rec_a` the example's,
                which stands for both where the folder does not learn. Networks without a
                reconstruction, as of CycleGAN, can only diverge.
            latent_spread: standard deviation of the latent's means.
            flat_error: the reconstruction error of the views' mean colours.
        """
        broken = [name for name, loss in losses.items() if not math.isfinite(loss)]
        if broken:
            return f"the loss {broken[0]} is not a finite number"
        reconstruction = losses.get("rec_b", losses.get("rec_a"))
        if reconstruction is None:
            return None
        self._folder.take_in(reconstruction)
        self._flat.take_in(flat_error)
        if "rec_a" in losses:
            self._example.take_in(losses["rec_a"])
        if self._folder.seen < self.GRACE:
            return None
        if latent_spread < self.LATENT_GONE:
            return "the latent code has collapsed to a constant"
        for whose, error in (("", self._folder), (" of the example", self._example)):
            if error.has_collapsed:
                return (
                    f"the reconstruction{whose} has collapsed "
                    f"(error {error.value:.3f}, it was {error.best:.3f})"
                )
        if self._is_stuck:
            return (
                "the reconstruction is worse than flat colour "
                f"(error {self._folder.value:.3f}, flat {self._flat.value:.3f})"
            )
        return None

    def state(self) -> Tensor:
        """Return what is remembered. Shape (3, 4)."""
        return torch.tensor([error.state() for error in self._all], dtype=torch.float64)

    def load_state(self, state: Tensor) -> None:
        """Go back to a state that `state` returned.

        Raises:
            ValueError: it is none.
        """
        for error, remembered in zip(self._all, state.tolist(), strict=True):
            error.load_state(remembered)
