"""Settings to start from: the authors', and ours for minutes on a laptop."""

from dataclasses import replace
from typing import Any

from ostcli.config import (
    AdaptConfig,
    LatentForm,
    Look,
    LossWeights,
    NetworkConfig,
    Norm,
    OptimConfig,
    Padding,
    Preset,
    PretrainConfig,
    Pull,
    Reach,
    Upsampling,
    ViewConfig,
)

EPOCHS_OF_THE_AUTHORS = 80
"""Passes over the folder in each phase of the authors' photo code: 60 constant, 20 decaying."""

STROKE_FILTER = 0.02
"""Strength of the filter that takes the strokes from paintings (0026)."""
LIGHT_OF_PHOTOGRAPHS = 0.4
"""Strength of the random light of `fast` for photographs (0021)."""
STEPS_ON_GPU = 6000
"""Steps of phase I in `fast` on a GPU (0022)."""
COLOUR_STEPS = 75
"""Steps of phase II by the patches of photographs, in `fast` (0037)."""
STROKE_STEPS = 150
"""Steps of phase II by the patches of paintings, in `fast` (0028)."""
COLOUR_RATE = 1.2e-3
"""Adam's rate by the patches of photographs (0037)."""
OF_COLOURS: dict[str, Any] = {"weight_patch_ab": 10.0}
"""Weights of a pull by patches (0016, 0025)."""
OF_STROKES: dict[str, Any] = {"weight_gram_ab": 40.0}
"""The same where A has blocks of its own (0028)."""
STROKE_RATE = 1e-3
"""Adam's rate where A has blocks of its own and learns strokes (0028)."""


def pretrain_preset(
    preset: Preset = Preset.FAST,
    look: Look = Look.STYLE,
    *,
    num_pictures: int = 0,
    of_photographs: bool = True,
    on_gpu: bool = False,
    begun: PretrainConfig | None = None,
    size: int | None = None,
) -> PretrainConfig:
    """Return phase I's settings for a preset.

    Args:
        preset: the authors' settings, or ours for minutes on a laptop (decision 0001).
        look: sets how many layers are unshared.
        num_pictures: in the folder; the authors' number of steps follows from it.
        of_photographs: whether the folder holds such; of paintings, no detail goes past the latent,
            as strokes are detail that is to be made; the latent is twice as fine instead, and A
            gets all layers for itself (decisions 0014, 0017, 0019, 0028).
        on_gpu: whether the training has one: `fast` takes more steps there (decision 0022).
        begun: the settings of a training that goes on, whose network and light stay in place of
            today's for the `fast` preset.
        size: training crop in pixels; None for the preset's own.
    """
    structure = look is Look.STRUCTURE
    if preset is Preset.PAPER:
        side = 256 if size is None else size
        return PretrainConfig(
            preset=preset,
            look=look,
            network=NetworkConfig(
                width=64,
                num_blocks=6,
                unshared_stages=2 if structure else 0,
                latent=LatentForm.DETERMINISTIC,
                upsampling=Upsampling.TRANSPOSED,
                norm=Norm.INSTANCE,
                discriminator_norm=Norm.INSTANCE,
                discriminator_width=64,
            ),
            view=ViewConfig(size=side, short_side=round(side * 286 / 256)),
            optim=OptimConfig(learning_rate=2e-4),
            steps=EPOCHS_OF_THE_AUTHORS * max(1, num_pictures),
        )
    fast = PretrainConfig()
    network, light = replace(fast.network, padding=Padding.REFLECT), 0.0
    if begun is not None:
        network, light = begun.network, begun.random_light
    elif structure:
        network = replace(network, unshared_stages=2)
    elif of_photographs:
        network = replace(network, detail_radius=4, num_blocks=2)
        light = LIGHT_OF_PHOTOGRAPHS
    else:
        blocks = network.num_blocks
        network = replace(network, num_stages=1, unshared_stages=1, unshared_blocks=blocks)
    return replace(
        fast,
        look=look,
        network=network,
        random_light=light,
        view=fast.view if size is None else replace(fast.view, size=size),
        steps=STEPS_ON_GPU if on_gpu else fast.steps,
    )


def adapt_preset(
    model: PretrainConfig,
    *,
    num_pictures: int = 0,
    pull: Pull = Pull.AUTO,
    reach: Reach = Reach.DOMAIN_A,
) -> AdaptConfig:
    """Return phase II's settings that go with a model's.

    Args:
        model: phase I's settings.
        num_pictures: in the model's folder; the authors' number of steps follows from it.
        pull: by D_B or by patches; AUTO is patches for a model of style, whose D_B has little more
            to say (decision 0027): those of strokes where A has blocks of its own (decision 0028),
            else those of colours. For structure, in `paper`, and where the example is to change
            more than A's layers, it is D_B.
        reach: which layers the example changes.

    Raises:
        ValueError: patches are asked for, and more than A's layers.
    """
    if model.preset is Preset.PAPER:
        chosen = AdaptConfig(
            view=model.view,
            weights=LossWeights(weight_reconstruction_b=1.0, weight_adversarial_ab=1.0),
            optim=replace(model.optim, average_decay=0.98),
            steps=EPOCHS_OF_THE_AUTHORS * max(1, num_pictures),
        )
    else:
        fast = AdaptConfig()
        chosen = replace(
            fast,
            view=replace(fast.view, size=model.view.size),
            optim=replace(fast.optim, batch_size=model.optim.batch_size),
        )
    chosen = replace(chosen, random_light=model.random_light, reach=reach)
    if pull is Pull.AUTO:
        of_style = model.preset is Preset.FAST and model.look is Look.STYLE
        by_patches = of_style and reach is Reach.DOMAIN_A
        pull = Pull.PATCHES if by_patches else Pull.DISCRIMINATOR
    if pull is Pull.PATCHES:
        paints = model.network.unshared_blocks > 0
        statistics, rate, steps = (
            (OF_STROKES, STROKE_RATE, STROKE_STEPS)
            if paints
            else (OF_COLOURS, COLOUR_RATE, COLOUR_STEPS)
        )
        of_authors = model.preset is Preset.PAPER  # Long: at the rate that goes with long ones.
        chosen = replace(
            chosen,
            weights=replace(chosen.weights, weight_adversarial_ab=0.0, **statistics),
            optim=replace(
                chosen.optim, learning_rate=OptimConfig().learning_rate if of_authors else rate
            ),
            folder_learns=False,
            random_light=0.0,
            steps=chosen.steps if of_authors else steps,
        )
    return chosen
