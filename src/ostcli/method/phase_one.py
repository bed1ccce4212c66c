"""Phase I: a VAE with a GAN on the folder alone (`ost pretrain`).

Legend: x_b views of the folder's pictures, (N, 3, H, W), range [-1, 1].
"""

import torch
from torch import Tensor

from ostcli.config import LossWeights
from ostcli.method.light import under_random_light
from ostcli.method.losses import (
    adversarial_loss,
    discriminator_loss,
    flat_error,
    kl_loss,
    reconstruction_loss,
)
from ostcli.method.networks import Networks
from ostcli.method.pool import HistoryPool
from ostcli.method.record import DISCRIMINATOR, FOLDER, StepRecord, Table, parameters_of


def phase_one_table(networks: Networks) -> Table:
    """State which total changes which weights.

    Source: Benaim & Wolf 2018, phase I.
    """
    return {
        FOLDER: parameters_of(
            networks.encoder_b,
            networks.encoder_shared,
            networks.decoder_shared,
            networks.decoder_b,
        ),
        DISCRIMINATOR: parameters_of(networks.discriminator_b, networks.coarser_discriminators_b),
    }


def phase_one_step(
    networks: Networks,
    x_b: Tensor,
    *,
    weights: LossWeights,
    pool_bb: HistoryPool,
    generator: torch.Generator,
    random_light: float = 0.0,
) -> StepRecord:
    """Run the networks on views of the folder and return every loss of phase I.

    Args:
        networks: without A's layers, or with: they are not used.
        x_b: views of the folder. Shape (N, 3, H, W), range [-1, 1].
        weights: the factors of the losses.
        pool_bb: history of reconstructions for D_B; changed by this call.
        generator: draws the latent noise, the pool's choices and the light; on the CPU.
        random_light: strength of the light in which E_B sees the views; 0 for their own.

    Source: Benaim & Wolf 2018, eq. (1)–(3).
    """
    seen_b = under_random_light(x_b, random_light, generator)
    latent_b = networks.encode_b(seen_b)
    recon_bb = networks.decode_b(latent_b.sample(generator))

    losses = {
        "rec_b": reconstruction_loss(recon_bb, x_b, weights.distance),  # (1)
        "kl_b": kl_loss(latent_b),  # (2)
    }
    folder = weights.weight_reconstruction_b * losses["rec_b"] + weights.weight_kl * losses["kl_b"]
    if weights.weight_adversarial_b:
        losses["gan_b"] = adversarial_loss(networks.score_b(recon_bb))  # (3)
        folder = folder + weights.weight_adversarial_b * losses["gan_b"]

    old_bb = pool_bb.exchange(recon_bb.detach(), generator)
    scores_b, scores_old = networks.score_both(x_b, old_bb)
    dis_b = discriminator_loss(scores_b, scores_old)
    return StepRecord(
        losses={**losses, "dis_b": dis_b},
        totals={FOLDER: folder, DISCRIMINATOR: dis_b},
        pictures={"x_b": x_b, "recon_bb": recon_bb},
        scores_b=scores_b,
        latent_spread=latent_b.mean.std(),
        flat_error=flat_error(x_b, seen_b, weights.distance),
    )
