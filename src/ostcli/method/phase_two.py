"""Phase II: fit the one example (`ost adapt`).

Legend: x_a views of the example, x_b views of the folder, (N, 3, H, W), range [-1, 1].
"""

from dataclasses import KW_ONLY, dataclass, replace

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
    discriminator_meets_example: bool = True,
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
        discriminator_meets_example: whether D_B's loss has translations of the example in it.
        random_light: strength of the light in which E_B sees the folder's views for (1)–(3).
        share_alike: share of the folder's views, those most like the example, whose patches count.

    Source: Benaim & Wolf 2018, eq. (4)–(6), with (1)–(3) going on beside them.
    """
    settings = _OfExample(weights, cycle, share_alike, is_scored=folder_learns)
    if not folder_learns:
        [alone] = settings.steps(networks, x_a, x_b, 1, generator)
        return alone
    folder = phase_one_step(
        networks,
        x_b[: len(x_a)],
        weights=weights,
        pool_bb=pool_bb,
        generator=generator,
        random_light=random_light,
    )
    [example] = settings.steps(networks, x_a, x_b, 1, generator)
    both = replace(
        folder,
        losses={**folder.losses, **example.losses},
        totals={**folder.totals, **example.totals},
        pictures={**folder.pictures, **example.pictures},
    )
    if not discriminator_meets_example:
        return both
    assert folder.scores_b is not None
    old_ab = pool_ab.exchange(example.pictures["trans_ab"].detach(), generator)
    dis_ab = discriminator_loss(folder.scores_b, networks.score_b(old_ab))
    return replace(
        both,
        losses={**both.losses, "dis_ab": dis_ab},
        totals={**both.totals, DISCRIMINATOR: both.totals[DISCRIMINATOR] + dis_ab},
    )


def phase_two_steps(
    networks: Networks,
    x_a: Tensor,
    x_b: Tensor,
    num_examples: int,
    *,
    weights: LossWeights,
    generator: torch.Generator,
    cycle: Cycle = Cycle.ONE_WAY,
    share_alike: float = 1.0,
) -> list[StepRecord]:
    """Return phase II's losses of several examples beside a folder that does not learn.

    Each is what `phase_two_step` gives for it alone, to rounding: all pass through the shared
    layers and B's together, and each draws the same chance.

    Args:
        networks: from `side_by_side`.
        x_a: views of each example after those of the one before. Shape (K · N, 3, H, W).
        x_b: views of the folder, the same for all. Shape (N + M, 3, H, W).
        num_examples: K.
        weights, generator, cycle, share_alike: as of `phase_two_step`.
    """
    settings = _OfExample(weights, cycle, share_alike, is_scored=False)
    return settings.steps(networks, x_a, x_b, num_examples, generator)


@dataclass(frozen=True)
class _OfExample:
    """The example's side of phase II: its paths through the networks, and its losses."""

    weights: LossWeights
    cycle: Cycle
    share_alike: float
    _: KW_ONLY
    is_scored: bool
    """Whether D_B looks at the translation even if nothing follows from it."""

    def steps(
        self,
        networks: Networks,
        x_a: Tensor,
        x_b: Tensor,
        num_examples: int,
        generator: torch.Generator,
    ) -> list[StepRecord]:
        """Return a record for each example, in their order."""
        mean_a, pictures = self._paths(networks, x_a, x_b, num_examples, generator)
        drawn, records = generator.get_state(), []
        for index, own_mean in enumerate(mean_a.chunk(num_examples)):
            generator.set_state(drawn)
            own = {name: path.chunk(num_examples)[index] for name, path in pictures.items()}
            records.append(self._record(networks, own_mean, own, x_b, generator))
        return records

    def _paths(
        self,
        networks: Networks,
        x_a: Tensor,
        x_b: Tensor,
        num_examples: int,
        generator: torch.Generator,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the means of the example's latent, and the pictures by their paths."""
        latent_a = networks.encode_a(x_a)
        code_a = latent_a.sample(generator, num_examples)
        recon_aa, trans_ab = networks.decode_both(code_a)
        pictures = {"x_a": x_a, "recon_aa": recon_aa, "trans_ab": trans_ab}
        if self.cycle is not Cycle.NONE:
            code_b = networks.encode_b(trans_ab).sample(generator, num_examples)
            pictures["cycle_aba"] = networks.decode_a(code_b)
        if self.cycle is Cycle.TWO_WAY:
            x_b = x_b[: len(x_a) // num_examples].repeat(num_examples, 1, 1, 1)
            trans_ba = networks.decode_a(networks.encode_b(x_b).sample(generator, num_examples))
            code_a = networks.encode_a(trans_ba).sample(generator, num_examples)
            pictures |= {"x_b": x_b, "cycle_bab": networks.decode_b(code_a)}
        return latent_a.mean, pictures

    def _record(
        self,
        networks: Networks,
        mean_a: Tensor,
        pictures: dict[str, Tensor],
        every_b: Tensor,
        generator: torch.Generator,
    ) -> StepRecord:
        weights, x_a, trans_ab = self.weights, pictures["x_a"], pictures["trans_ab"]
        distance = weights.distance
        losses = {"rec_a": reconstruction_loss(pictures["recon_aa"], x_a, distance)}  # (4)
        total = weights.weight_reconstruction_a * losses["rec_a"]
        if self.cycle is not Cycle.NONE:
            losses["cycle_a"] = reconstruction_loss(pictures["cycle_aba"], x_a, distance)  # (5)
            total = total + weights.weight_cycle * losses["cycle_a"]
        if self.cycle is Cycle.TWO_WAY:
            losses["cycle_b"] = reconstruction_loss(
                pictures["cycle_bab"], pictures["x_b"], distance
            )
            total = total + weights.weight_cycle * losses["cycle_b"]
        if self.is_scored or weights.weight_adversarial_ab:
            losses["gan_ab"] = adversarial_loss(networks.score_b(trans_ab))  # (6)
            total = total + weights.weight_adversarial_ab * losses["gan_ab"]
        if weights.holds_patches:
            alike_b = most_alike(every_b, x_a, self.share_alike)  # decision 0025
        if weights.weight_patch_ab:
            losses["patch_ab"] = patch_distance(trans_ab, alike_b, generator)  # decision 0016
            total = total + weights.weight_patch_ab * losses["patch_ab"]
        if weights.weight_gram_ab:
            losses["gram_ab"] = gram_distance(trans_ab, alike_b, generator)  # decision 0028
            total = total + weights.weight_gram_ab * losses["gram_ab"]
        return StepRecord(
            losses=losses,
            totals={EXAMPLE: total},
            pictures=pictures,
            scores_b=None,
            latent_spread=mean_a.std(),
            flat_error=flat_error(x_a, distance=distance),
        )
