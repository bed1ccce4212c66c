"""What one step of either phase returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

FOLDER = "folder"
EXAMPLE = "example"
DISCRIMINATOR = "discriminator"
GENERATOR = "generator"

Table = Mapping[str, Sequence[nn.Parameter]]
"""Which total reaches which weights: selective back-propagation, stated as data."""


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """The losses and pictures of one step, before any weight is changed.

    Args:
        losses: each loss by its name, unweighted scalars.
        totals: the weighted totals by the names above; a gradient is asked of each for exactly the
            weights that the phase's table gives it.
        pictures: by path (`recon_bb`, `trans_ab`, …). Shape (N, 3, H, W), range [-1, 1].
        scores_b: D_B of the folder's views, for every loss that holds them against made pictures;
            None where the folder does not learn. Shape (N, S, h', w').
        latent_spread: standard deviation of the folder's latent means, or the example's where the
            folder does not learn; near 0 after a collapse.
        flat_error: reconstruction error of these views if each came out as its own mean colour;
            what a sound autoencoder beats.
    """

    losses: Mapping[str, Tensor]
    totals: Mapping[str, Tensor]
    pictures: Mapping[str, Tensor]
    scores_b: Tensor | None
    latent_spread: Tensor
    flat_error: Tensor


def parameters_of(*modules: nn.Module | None) -> list[nn.Parameter]:
    """Return the weights of the modules, in order; A's modules may not exist yet."""
    return [p for module in modules if module is not None for p in module.parameters()]
