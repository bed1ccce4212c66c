"""The losses, one pure function for each equation.

Legend: N batch, C channels, S scales of D_B, H W pixels, h w latent or patch grid.
Every loss is a scalar. The paper writes sums; the authors' code and ours take means, so that the
factors keep their meaning whatever the size of a picture.
"""

from torch import Tensor

from ostcli.config import Distance
from ostcli.method.networks import Latent


def reconstruction_loss(
    reconstruction: Tensor, pictures: Tensor, distance: Distance = Distance.ABSOLUTE
) -> Tensor:
    """Return ‖T(s) − s‖₁ per value: L_REC_B (1), L_REC_A (4) and L_cycle (5).

    Args:
        reconstruction: Shape (N, 3, H, W), range [-1, 1].
        pictures: Shape (N, 3, H, W), range [-1, 1].
        distance: or its square, ‖T(s) − s‖₂² per value, as in the authors' digit code.
    """
    difference = reconstruction - pictures
    match distance:
        case Distance.ABSOLUTE:
            return difference.abs().mean()
        case Distance.SQUARED:
            return difference.square().mean()


def flat_error(
    pictures: Tensor, seen: Tensor | None = None, distance: Distance = Distance.ABSOLUTE
) -> Tensor:
    """Return the reconstruction loss if each picture came out as the mean colour that is seen.

    No loss of the paper: what a sound autoencoder beats.

    Args:
        pictures: Shape (N, 3, H, W), range [-1, 1].
        seen: what the encoder sees of them, of that shape; the pictures themselves if None.
        distance: as of `reconstruction_loss`.
    """
    seen = pictures if seen is None else seen
    return reconstruction_loss(seen.mean((2, 3), keepdim=True), pictures, distance)


def kl_loss(latent: Latent) -> Tensor:
    """Return KL(latent ‖ N(0, I)) per value: L_VAE_B (2).

    In the deterministic form this is the mean square of the code, as in the authors' code: twice
    the part of the KL that depends on the mean.
    """
    mean_square = latent.mean.square().mean()
    if latent.log_variance is None:
        return mean_square
    spread = latent.log_variance.exp() - latent.log_variance - 1
    return 0.5 * (mean_square + spread.mean())


def adversarial_loss(fake_scores: Tensor) -> Tensor:
    """Return the generator's least-squares loss: L_GAN_B (3) and L_GAN_AB (6).

    Args:
        fake_scores: D_B of generated pictures. Shape (N, S, h, w).

    Source: LSGAN (Mao et al. 2017), real target 1.
    """
    return (fake_scores - 1).square().mean()


def discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Return what D_B minimises: half the sum of its errors on real (1) and generated (0) pictures.

    Args:
        real_scores: D_B of pictures of the folder. Shape (N, S, h, w).
        fake_scores: D_B of generated pictures. Shape (N, S, h, w).

    Source: LSGAN (Mao et al. 2017); halved as in the authors' code.
    """
    return 0.5 * ((real_scores - 1).square().mean() + fake_scores.square().mean())
