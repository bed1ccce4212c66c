"""Phase II: fit the one example (`ost adapt`).

Legend: x_a views of the example, x_b views of the folder, (N, 3, H, W), range [-1, 1].
"""

from dataclasses import replace

import torch
from torch import Tensor

from ostcli.config import Cycle, LossWeights, Reach
from ostcli.method.losses import (
    adversarial_loss,
    discriminator_loss,
    flat_error,
    reconstruction_loss,
)
from ostcli.method.networks import Networks
from ostcli.method.patches import gram_distance, most_alike, patch_distance
from ostcli.method.phase_one import phase_one_step, phase_one_table
from ostcli.method.pool import HistoryPool
from ostcli.method.record import DISCRIMINATOR, EXAMPLE, FOLDER, StepRecord, Table, parameters_of


def phase_two_table(
    networks: Networks,
    reach: Reach = Reach.DOMAIN_A,
    *,
    shared_learns: bool = True,
    folder_learns: bool = True,
) -> Table:
    """State which total changes which weights: selective back-propagation.

    The example's losses flow through the shared layers and through B's, but ask for the gradient
    of A's unshared weights only; the folder's losses go on changing B's and the shared ones.

    Args:
        networks: with A's layers.
        reach: how far the example's losses reach; the rows of Table 1 and the slides' form. In
            the wider ones B's weights stand in two rows: two optimisers step them, each with
            moments of its own (decision 0004).
        shared_learns: whether the folder's losses go on changing the shared layers; a row of
            Table 1.
        folder_learns: whether the folder's losses and D_B's go on at all (decision 0016).

    Source: Benaim & Wolf 2018, the bars over E^S and G^S.
    """
    example = parameters_of(networks.encoder_a, networks.decoder_a)
    if reach is not Reach.DOMAIN_A:
        example += parameters_of(networks.encoder_b, networks.decoder_b)
    if reach is Reach.EVERYTHING:
        example += parameters_of(networks.encoder_shared, networks.decoder_shared)
    if not folder_learns:
        return {EXAMPLE: example}
    table = {EXAMPLE: example, **phase_one_table(networks)}
    if not shared_learns:
        table[FOLDER] = parameters_of(networks.encoder_b, networks.decoder_b)
    return table


def phase_two_step(
    networks: Networks,
    x_a: Tensor,
    x_b: Tensor,
    *,
    weights: LossWeights,
    pool_bb: HistoryPool,
    pool_ab: HistoryPool,
    generator: torch.Generator,
    cycle: Cycle = Cycle.ONE_WAY,
    folder_learns: bool = True,
    random_light: float = 0.0,
    share_alike: float = 1.0,
) -> StepRecord:
    """Run the networks on views of the example and of the folder; return every loss of phase II.

    Args:
        networks: with A's layers.
        x_a: views of the example. Shape (N, 3, H, W), range [-1, 1].
        x_b: views of the folder: as many as of the example for its own losses, and any number
            more for their patches. Shape (N + M, 3, H, W), range [-1, 1].
        weights: the factors of the losses.
        pool_bb: history of reconstructions for D_B; changed by this call.
        pool_ab: history of translations for D_B; changed by this call.
        generator: draws the latent noise, the pools' choices, the light, and which patches are
            compared; on the CPU.
        cycle: which ways round; the paper goes one way, the others are rows of Table 1.
        folder_learns: whether (1)–(3) and D_B's loss are computed; see `phase_two_table`.
        random_light: strength of the light in which E_B sees the folder's views for (1)–(3).
        share_alike: share of the folder's views, those most like the example, whose patches count.

    Source: Benaim & Wolf 2018, eq. (4)–(6), with (1)–(3) going on beside them.
    """
    every_b, x_b = x_b, x_b[: len(x_a)]
    folder = None
    if folder_learns:
        folder = phase_one_step(
            networks,
            x_b,
            weights=weights,
            pool_bb=pool_bb,
            generator=generator,
            random_light=random_light,
        )
    latent_a = networks.encode_a(x_a)
    code_a = latent_a.sample(generator)
    recon_aa, trans_ab = networks.decode_both(code_a)

    rec_a = reconstruction_loss(recon_aa, x_a)  # (4)
    pictures = {"x_a": x_a, "recon_aa": recon_aa, "trans_ab": trans_ab}
    cycles = {}
    if cycle is not Cycle.NONE:
        cycle_aba = networks.decode_a(networks.encode_b(trans_ab).sample(generator))
        cycles["cycle_a"] = reconstruction_loss(cycle_aba, x_a)  # (5)
        pictures["cycle_aba"] = cycle_aba
    if cycle is Cycle.TWO_WAY:
        trans_ba = networks.decode_a(networks.encode_b(x_b).sample(generator))
        cycle_bab = networks.decode_b(networks.encode_a(trans_ba).sample(generator))
        cycles["cycle_b"] = reconstruction_loss(cycle_bab, x_b)
    losses = {"rec_a": rec_a, **cycles}
    example = weights.weight_reconstruction_a * rec_a + weights.weight_cycle * sum(cycles.values())
    if folder_learns or weights.weight_adversarial_ab:
        losses["gan_ab"] = adversarial_loss(networks.score_b(trans_ab))  # (6)
        example = example + weights.weight_adversarial_ab * losses["gan_ab"]
    if weights.holds_patches:
        alike_b = most_alike(every_b, x_a, share_alike)  # decision 0025
    if weights.weight_patch_ab:
        losses["patch_ab"] = patch_distance(trans_ab, alike_b, generator)  # decision 0016
        example = example + weights.weight_patch_ab * losses["patch_ab"]
    if weights.weight_gram_ab:
        losses["gram_ab"] = gram_distance(trans_ab, alike_b, generator)  # decision 0028
        example = example + weights.weight_gram_ab * losses["gram_ab"]
    if folder is None:
        return StepRecord(
            losses=losses,
            totals={EXAMPLE: example},
            pictures=pictures,
            scores_b=None,
            latent_spread=latent_a.mean.std(),
            flat_error=flat_error(x_a),
        )

    assert folder.scores_b is not None
    old_ab = pool_ab.exchange(trans_ab.detach(), generator)
    dis_ab = discriminator_loss(folder.scores_b, networks.score_b(old_ab))
    return replace(
        folder,
        losses={**folder.losses, **losses, "dis_ab": dis_ab},
        totals={
            EXAMPLE: example,
            FOLDER: folder.totals[FOLDER],
            DISCRIMINATOR: folder.totals[DISCRIMINATOR] + dis_ab,
        },
        pictures={**folder.pictures, **pictures},
    )
