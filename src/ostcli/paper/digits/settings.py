"""The settings of the digits' trainings, and the rows of Table 1 as changes to them.

Source: authors' digit code, but where a field says otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ostcli.config import (
    AdaptConfig,
    Birth,
    Cycle,
    Distance,
    LatentForm,
    LossWeights,
    OptimConfig,
    Reach,
    ViewConfig,
)

PRETRAIN_WEIGHTS = LossWeights(
    distance=Distance.SQUARED, weight_reconstruction_b=1.0, weight_adversarial_b=1.0
)
PRETRAIN_OPTIM = OptimConfig(batch_size=64, learning_rate=2e-4, pool_size=0)
PRETRAIN_STEPS = 5_000
"""Authors: 15,000, of which they load the 10,000th. Ours: decision 0043."""
MOST_PRETRAIN_STEPS = 10_000

ADAPT_STEPS = 150
"""Of every method, on one run's pictures. Authors: 5,000. Ours: decision 0043."""
ADAPT = AdaptConfig(
    view=ViewConfig(size=32, rotation=0.0),
    weights=LossWeights(
        distance=Distance.SQUARED,
        weight_reconstruction_b=1.0,
        weight_adversarial_b=0.0,
        weight_cycle=1.0,
        weight_adversarial_ab=1.0,
    ),
    optim=OptimConfig(learning_rate=2e-4, pool_size=0),
    share_alike=1.0,
)
"""Phase II of the full method."""


FULL = "full: augmentation, one-way cycle, selective"
TWIN = "augmentation, one-way cycle, not selective"
"""The full method, but x's losses reach every layer."""


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """A row of Table 1, or one for a departure that it does not have."""

    name: str
    augment: bool = True
    """Whether views of x and of B are mirrored half of the time."""
    cycle: Cycle = Cycle.ONE_WAY
    selective: bool = True
    """Whether x's losses change unshared layers only."""
    shared_learns: bool = True
    birth: Birth = Birth.CLONE
    reach: Reach = Reach.DOMAIN_A
    """How far x's losses reach where they are selective."""
    latent: LatentForm = LatentForm.DETERMINISTIC
    discriminator_meets_example: bool = False
    fresh_discriminator: bool = False
    """Whether phase II begins with a D_B that has seen nothing."""
    weight_adversarial_b: float = 0.0
    """Of L_GAN_B in phase II."""
    distance: Distance = Distance.SQUARED
    """Of (1), (4) and (5) in phase II."""
    published: tuple[float, float] | None = None
    """Accuracy of MNIST → SVHN and of SVHN → MNIST; None for a row of ours."""

    def of(self, config: AdaptConfig) -> AdaptConfig:
        """Return phase II's settings for this row."""
        return replace(
            config,
            view=replace(config.view, flip=self.augment),
            weights=replace(
                config.weights,
                distance=self.distance,
                weight_adversarial_b=self.weight_adversarial_b,
            ),
            cycle=self.cycle,
            reach=self.reach if self.selective else Reach.EVERYTHING,
            shared_learns=self.shared_learns,
            birth=self.birth,
            discriminator_meets_example=self.discriminator_meets_example,
        )


TABLE_1: Sequence[Ablation] = (
    Ablation(
        name="no augmentation, no cycle, not selective",
        augment=False,
        cycle=Cycle.NONE,
        selective=False,
        published=(0.07, 0.10),
    ),
    Ablation(
        name="augmentation, no cycle, not selective",
        cycle=Cycle.NONE,
        selective=False,
        published=(0.11, 0.11),
    ),
    Ablation(
        name="no augmentation, one-way cycle, not selective",
        augment=False,
        selective=False,
        published=(0.13, 0.13),
    ),
    Ablation(
        name=TWIN,
        selective=False,
        published=(0.14, 0.14),
    ),
    Ablation(
        name="no augmentation, no cycle, selective",
        augment=False,
        cycle=Cycle.NONE,
        published=(0.19, 0.20),
    ),
    Ablation(name="augmentation, no cycle, selective", cycle=Cycle.NONE, published=(0.20, 0.20)),
    Ablation(
        name="no augmentation, one-way cycle, selective", augment=False, published=(0.22, 0.23)
    ),
    Ablation(
        name="full, but no phase-II update of E^S and G^S",
        shared_learns=False,
        published=(0.16, 0.15),
    ),
    Ablation(
        name="augmentation, two-way cycle, selective",
        cycle=Cycle.TWO_WAY,
        published=(0.20, 0.13),
    ),
    Ablation(
        name="augmentation, two-way cycle, not selective",
        cycle=Cycle.TWO_WAY,
        selective=False,
        published=(0.11, 0.12),
    ),
    Ablation(name=FULL, published=(0.23, 0.23)),
)
"""The rows of the paper's Table 1, in its order."""

DEPARTURES: Sequence[Ablation] = (
    Ablation(name="full, A born at random", birth=Birth.RANDOM),
    Ablation(name="full, x's losses reach B's unshared layers too", reach=Reach.BOTH_DOMAINS),
    Ablation(name="full, sampled latent", latent=LatentForm.SAMPLED),
    Ablation(name="full, D_B meets T_AB(x)", discriminator_meets_example=True),
    Ablation(name="full, D_B begun anew", fresh_discriminator=True),
    Ablation(name="full, L_GAN_B goes on", weight_adversarial_b=1.0),
    Ablation(name="full, absolute error in phase II", distance=Distance.ABSOLUTE),
)
"""Rows for what text and code of the paper leave open."""
