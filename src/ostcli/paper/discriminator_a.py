"""Networks with a discriminator of A beside: those of UNIT, and of the authors' digit code."""

import copy

import torch
from torch import Tensor, nn

from ostcli.config import Birth
from ostcli.method.networks import Architecture, Networks


class WithDiscriminatorA(nn.Module):
    """The one-shot paper's networks with a discriminator of A beside.

    Args:
        networks: with A's layers.
        discriminator_a: scores pictures of A as `networks.score_b` those of B.
    """

    def __init__(self, networks: Networks, discriminator_a: nn.Module) -> None:
        super().__init__()
        self.networks = networks
        self.discriminator_a = discriminator_a

    @classmethod
    def build(cls, architecture: Architecture, generator: torch.Generator) -> "WithDiscriminatorA":
        """Build them with fresh weights.

        Args:
            architecture: of the networks; the discriminator of A is that of its mirror image.
            generator: draws the weights; on the CPU.
        """
        networks = Networks(architecture, generator)
        networks.add_domain_a(Birth.RANDOM, generator)
        return cls.beside(networks, generator)

    @classmethod
    def of_phase_one(cls, networks: Networks, generator: torch.Generator) -> "WithDiscriminatorA":
        """Begin with what phase I has learned of B: as fair to UNIT as one picture of A can be.

        Args:
            networks: of phase I; left alone.
            generator: draws the discriminator of A; on the CPU.
        """
        networks = copy.deepcopy(networks)
        networks.add_domain_a(Birth.CLONE, generator)
        return cls.beside(networks, generator)

    @classmethod
    def beside(cls, networks: Networks, generator: torch.Generator) -> "WithDiscriminatorA":
        """Put a discriminator of A with fresh weights beside networks.

        Args:
            networks: with A's layers; taken as they are.
            generator: draws the discriminator's weights; on the CPU.
        """
        return cls(networks, Networks(networks.architecture.swapped, generator).discriminator_b)

    def translate_ab(self, pictures: Tensor) -> Tensor:
        """T_AB, with the latent's mean: (N, C, H, W) to as many pictures of B."""
        return self.networks.translate_ab(pictures)

    def translate_ba(self, pictures: Tensor) -> Tensor:
        """T_BA, with the latent's mean: (N, C, H, W) to as many pictures of A."""
        return self.networks.translate_ba(pictures)
