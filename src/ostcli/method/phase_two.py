"""Phase II: fit the one example (`ost adapt`).

Legend: x_a views of the example, x_b views of the folder, (N, 3, H, W), range [-1, 1].
"""

import torch
from torch import Tensor

from ostcli.config import Cycle, LossWeights, Reach
from ostcli.method.losses import adversarial_loss, discriminator_loss, reconstruction_loss
from ostcli.method.networks import Networks
from ostcli.method.phase_one import phase_one_step, phase_one_table
from ostcli.method.pool import HistoryPool
from ostcli.method.record import DISCRIMINATOR, EXAMPLE, FOLDER, StepRecord, Table, parameters_of


def phase_two_table(
    networks: Networks, reach: Reach = Reach.DOMAIN_A, *, shared_learns: bool = True
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

    Source: Benaim & Wolf 2018, the bars over E^S and G^S.
    """
    example = parameters_of(networks.encoder_a, networks.decoder_a)
    if reach is not Reach.DOMAIN_A:
        example += parameters_of(networks.encoder_b, networks.decoder_b)
    if reach is Reach.EVERYTHING:
        example += parameters_of(networks.encoder_shared, networks.decoder_shared)
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
) -> StepRecord:
    """Run the networks on views of the example and of the folder; return every loss of phase II.

    Args:
        networks: with A's layers.
        x_a: views of the example. Shape (N, 3, H, W), range [-1, 1].
        x_b: views of the folder. Shape (N, 3, H, W), range [-1, 1].
        weights: the factors of the losses.
        pool_bb: history of reconstructions for D_B; changed by this call.
        pool_ab: history of translations for D_B; changed by this call.
        generator: draws the latent noise and the pools' choices; on the CPU.
        cycle: which ways round; the paper goes one way, the others are rows of Table 1.

    Source: Benaim & Wolf 2018, eq. (4)–(6), with (1)–(3) going on beside them.
    """
    phase_one = phase_one_step(networks, x_b, weights=weights, pool_bb=pool_bb, generator=generator)

    z_a = networks.encode_a(x_a).sample(generator)
    recon_aa, trans_ab = networks.decode_both(z_a)

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
    gan_ab = adversarial_loss(networks.score_b(trans_ab))  # (6)

    old_ab = pool_ab.exchange(trans_ab.detach(), generator)
    dis_ab = discriminator_loss(phase_one.scores_b, networks.score_b(old_ab))

    example = (
        weights.weight_reconstruction_a * rec_a
        + weights.weight_cycle * sum(cycles.values())
        + weights.weight_adversarial_ab * gan_ab
    )
    return StepRecord(
        losses={
            **phase_one.losses,
            "rec_a": rec_a,
            **cycles,
            "gan_ab": gan_ab,
            "dis_ab": dis_ab,
        },
        totals={
            EXAMPLE: example,
            FOLDER: phase_one.totals[FOLDER],
            DISCRIMINATOR: phase_one.totals[DISCRIMINATOR] + dis_ab,
        },
        pictures={**phase_one.pictures, **pictures},
        scores_b=phase_one.scores_b,
        latent_spread=phase_one.latent_spread,
        flat_error=phase_one.flat_error,
    )
