import dataclasses
import json

import pytest

from ostcli.config import (
    AdaptConfig,
    Birth,
    Config,
    LatentForm,
    Look,
    LossWeights,
    NetworkConfig,
    Norm,
    OptimConfig,
    Padding,
    Precision,
    Preset,
    PretrainConfig,
    Pull,
    Reach,
    Upsampling,
    ViewConfig,
)
from ostcli.presets import adapt_preset, pretrain_preset

ALL_PRESETS = [
    pretrain_preset(preset, look, num_pictures=230, size=size)
    for preset in Preset
    for look in Look
    for size in (None, 64)
]


@pytest.mark.parametrize("config", ALL_PRESETS + [adapt_preset(one) for one in ALL_PRESETS])
def test_every_preset_goes_to_json_and_back(config):
    data = json.loads(json.dumps(config.to_json()))

    assert type(config).from_json(data) == config


@pytest.mark.parametrize(
    "config",
    [
        PretrainConfig(steps=None, minutes=2.5),
        AdaptConfig(reach=Reach.EVERYTHING, birth=Birth.RANDOM, steps=None, minutes=1.0),
        NetworkConfig(latent=LatentForm.SAMPLED, upsampling=Upsampling.TRANSPOSED),
        ViewConfig(short_side=None),
    ],
)
def test_other_settings_go_to_json_and_back(config):
    again = type(config).from_json(json.loads(json.dumps(config.to_json())))

    assert again == config
    for name in config.to_json():
        assert type(getattr(again, name)) is type(getattr(config, name))


def test_missing_fields_take_their_defaults():
    assert PretrainConfig.from_json({"network": {"width": 8}}) == PretrainConfig(
        network=NetworkConfig(width=8)
    )


def test_a_whole_number_does_for_a_real_one():
    weights = LossWeights.from_json({"weight_kl": 1})

    assert weights.weight_kl == 1.0
    assert type(weights.weight_kl) is float


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (PretrainConfig, {"colour": "red"}),
        (PretrainConfig, {"network": {"depth": 3}}),
        (PretrainConfig, {"network": {"width": "32"}}),
        (NetworkConfig, {"width": 32.0}),
        (NetworkConfig, {"width": True}),
        (NetworkConfig, {"width": None}),
        (NetworkConfig, {"latent": "random"}),
        (NetworkConfig, {"latent": 1}),
        (OptimConfig, {"learning_rate": "fast"}),
        (OptimConfig, {"learning_rate": False}),
        (ViewConfig, {"flip": 1}),
        (ViewConfig, {"short_side": "286"}),
        (PretrainConfig, {"steps": 2.5}),
        (PretrainConfig, {"seed": [0]}),
        (PretrainConfig, {"network": None}),
        (PretrainConfig, {"network": []}),
    ],
)
def test_unknown_fields_and_wrong_types_are_refused(kind, data):
    with pytest.raises(ValueError, match=r"\w"):
        kind.from_json(data)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (NetworkConfig, {"width": 0}),
        (NetworkConfig, {"num_stages": 0}),
        (NetworkConfig, {"num_blocks": -1}),
        (NetworkConfig, {"unshared_stages": 3}),
        (NetworkConfig, {"unshared_stages": -1}),
        (NetworkConfig, {"unshared_blocks": 1}),
        (NetworkConfig, {"unshared_blocks": -1}),
        (NetworkConfig, {"unshared_stages": 2, "unshared_blocks": 5}),
        (NetworkConfig, {"discriminator_layers": 0}),
        (NetworkConfig, {"discriminator_scales": 0}),
        (ViewConfig, {"size": 12}),
        (ViewConfig, {"size": 130}),
        (ViewConfig, {"size": 128, "short_side": 100}),
        (ViewConfig, {"size": 128, "working_pixels": 1000}),
        (ViewConfig, {"span": -0.1}),
        (ViewConfig, {"span": 1.1}),
        (ViewConfig, {"rotation": -1.0}),
        (ViewConfig, {"rotation": 50.0}),
        (OptimConfig, {"batch_size": 0}),
        (OptimConfig, {"learning_rate": 0.0}),
        (OptimConfig, {"learning_rate": float("nan")}),
        (OptimConfig, {"decay_share": 1.1}),
        (OptimConfig, {"average_decay": 1.0}),
        (OptimConfig, {"average_share": 0.0}),
        (OptimConfig, {"average_share": 1.1}),
        (PretrainConfig, {"steps": 0}),
        (PretrainConfig, {"steps": 10, "minutes": 1.0}),
        (PretrainConfig, {"steps": None}),
        (AdaptConfig, {"example_rate": 0.0}),
        (AdaptConfig, {"steps": None, "minutes": 0.0}),
        (AdaptConfig, {"steps": None, "minutes": float("inf")}),
        (PretrainConfig, {"steps": None, "minutes": float("nan")}),
        (PretrainConfig, {"precision": Precision.FP16}),
        (AdaptConfig, {"precision": Precision.FP16}),
        (PretrainConfig, {"seed": -1}),
        (PretrainConfig, {"seed": 2**63}),
        (AdaptConfig, {"seed": -1}),
        (AdaptConfig, {"seed": 2**63}),
        (PretrainConfig, {"network": NetworkConfig(num_stages=4), "view": ViewConfig(size=72)}),
        (
            PretrainConfig,
            {"network": NetworkConfig(discriminator_scales=3), "view": ViewConfig(size=64)},
        ),
    ],
)
def test_values_without_sense_are_refused(kind, fields):
    with pytest.raises(ValueError, match=r"\w+ (must|either)"):
        kind(**fields)


@pytest.mark.parametrize("kind", Config.__subclasses__())
def test_records_are_frozen_and_their_fields_have_names(kind):
    record = kind()
    name = dataclasses.fields(record)[0].name

    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, name, getattr(record, name))
    with pytest.raises(TypeError):
        kind(1)


def test_the_paper_s_phase_one_holds_the_authors_numbers():
    config = pretrain_preset(Preset.PAPER, num_pictures=230)

    assert config.network == NetworkConfig(
        width=64,
        num_stages=2,
        num_blocks=6,
        unshared_stages=0,
        latent=LatentForm.DETERMINISTIC,
        upsampling=Upsampling.TRANSPOSED,
        norm=Norm.INSTANCE,
        discriminator_norm=Norm.INSTANCE,
        discriminator_width=64,
        discriminator_layers=3,
    )
    view, weights, optim = config.view, config.weights, config.optim
    assert (view.size, view.short_side, view.flip, view.rotation) == (256, 286, True, 7.0)
    assert weights.weight_reconstruction_b == 10
    assert weights.weight_kl == 0.1
    assert weights.weight_adversarial_b == 1
    assert (optim.batch_size, optim.learning_rate) == (1, 2e-4)
    assert (optim.beta1, optim.beta2) == (0.5, 0.999)
    assert optim.decay_share == 20 / 80
    assert optim.pool_size == 50
    assert config.steps == 80 * 230


def test_the_paper_s_phase_two_holds_the_authors_numbers():
    model = pretrain_preset(Preset.PAPER, num_pictures=230)
    config = adapt_preset(model, num_pictures=230)

    assert config.weights == LossWeights(
        weight_reconstruction_b=1.0,
        weight_kl=0.1,
        weight_adversarial_b=1.0,
        weight_reconstruction_a=1.0,
        weight_cycle=10.0,
        weight_adversarial_ab=1.0,
    )
    assert config.view == model.view
    assert config.steps == 80 * 230
    assert (config.reach, config.birth) == (Reach.DOMAIN_A, Birth.CLONE)
    assert (config.optim.learning_rate, config.example_rate) == (2e-4, 1.0)


@pytest.mark.parametrize("preset", Preset)
@pytest.mark.parametrize(("look", "stages"), [(Look.STYLE, 0), (Look.STRUCTURE, 2)])
def test_the_look_decides_how_much_is_unshared(preset, look, stages):
    config = pretrain_preset(preset, look)

    assert config.look is look
    assert config.network.unshared_stages == stages


@pytest.mark.parametrize(("size", "short_side"), [(None, 286), (256, 286), (128, 143)])
def test_another_crop_keeps_the_authors_proportion_of_crop_and_picture(size, short_side):
    assert pretrain_preset(Preset.PAPER, size=size).view.short_side == short_side


@pytest.mark.parametrize("preset", Preset)
@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        (0, "size must be a multiple of 4, at least 16"),
        (1024, "size must be at most 1000 pixels"),
    ],
)
def test_a_size_that_cannot_be_is_refused_in_words_for_users(preset, size, sentence):
    with pytest.raises(ValueError, match=sentence):
        pretrain_preset(preset, size=size)


@pytest.mark.parametrize("size", [None, 64])
def test_phase_two_s_views_are_as_large_as_the_model_s(size):
    for preset in Preset:
        model = pretrain_preset(preset, size=size)
        assert adapt_preset(model).view.size == model.view.size


def test_the_fast_preset_keeps_b_in_phase_two_and_turns_only_the_example():
    model = pretrain_preset()
    config = adapt_preset(model)

    assert config.weights.weight_reconstruction_b == model.weights.weight_reconstruction_b == 10
    assert (model.view.rotation, config.view.rotation) == (0.0, 7.0)


@pytest.mark.parametrize("share", [0.0, -0.5, 1.01])
def test_a_share_is_none_of_nothing_and_of_no_more_than_all(share):
    with pytest.raises(ValueError, match="share_alike must lie between 0 and 1"):
        AdaptConfig(share_alike=share)


@pytest.mark.parametrize("preset", Preset)
def test_detail_goes_past_the_latent_for_photographs_only(preset):
    style, structure = (pretrain_preset(preset, look).network for look in Look)
    ours = preset is Preset.FAST
    assert (style.detail_radius, structure.detail_radius) == (4 if ours else 0, 0)
    assert style.padding is structure.padding is (Padding.REFLECT if ours else Padding.ZEROS)


def test_photographs_take_half_the_blocks():
    blocks = [
        pretrain_preset(look=look, of_photographs=photographs).network.num_blocks
        for look, photographs in ((Look.STYLE, True), (Look.STYLE, False), (Look.STRUCTURE, True))
    ]
    assert blocks == [2, 4, 4]


def test_a_training_goes_on_with_the_network_and_the_light_it_was_begun_with():
    network = NetworkConfig(width=8, num_blocks=1, num_stages=1, unshared_stages=1)
    begun = PretrainConfig(network=network, random_light=0.2)
    going_on = pretrain_preset(look=Look.STRUCTURE, begun=begun)
    assert (going_on.network, going_on.random_light) == (network, 0.2)


@pytest.mark.parametrize("preset", Preset)
def test_photographs_are_learned_in_random_light_and_adapted_to_in_the_same(preset):
    photographs, painted, drawn = (
        pretrain_preset(preset),
        pretrain_preset(preset, of_photographs=False),
        pretrain_preset(preset, Look.STRUCTURE),
    )
    assert (photographs.random_light > 0) == (preset is Preset.FAST)
    assert painted.random_light == drawn.random_light == 0
    pulled = adapt_preset(photographs, pull=Pull.DISCRIMINATOR)
    assert pulled.random_light == photographs.random_light
    assert adapt_preset(photographs, pull=Pull.PATCHES).random_light == 0  # B's layers stand still.
    with pytest.raises(ValueError, match="random_light must not be negative"):
        dataclasses.replace(photographs, random_light=-0.1)


def test_a_gpu_gets_more_steps_of_ours_and_the_authors_own_of_theirs():
    on_cpu, on_gpu = (pretrain_preset(on_gpu=on_gpu) for on_gpu in (False, True))
    assert on_gpu.steps > on_cpu.steps
    assert dataclasses.replace(on_gpu, steps=on_cpu.steps) == on_cpu
    of_the_authors = {
        pretrain_preset(Preset.PAPER, num_pictures=2, on_gpu=on_gpu) for on_gpu in (False, True)
    }
    assert len(of_the_authors) == 1


def test_patches_have_their_own_length_and_rate():
    ours, authors = (
        adapt_preset(pretrain_preset(preset), num_pictures=2, pull=Pull.PATCHES)
        for preset in (Preset.FAST, Preset.PAPER)
    )
    assert (ours.steps, authors.steps) == (75, 160)
    assert (ours.optim.learning_rate, authors.optim.learning_rate) == (1.2e-3, 4e-4)
    painted = adapt_preset(pretrain_preset(of_photographs=False))
    assert (painted.steps, painted.optim.learning_rate) == (150, 1e-3)


@pytest.mark.parametrize("preset", Preset)
def test_a_folder_of_paintings_has_a_finer_latent_and_no_detail_past_it(preset):
    painted = pretrain_preset(preset, of_photographs=False).network
    ours = preset is Preset.FAST
    assert (painted.num_stages, painted.detail_radius) == (1 if ours else 2, 0)
    assert painted.unshared_blocks == (painted.num_blocks if ours else 0)
    drawn = pretrain_preset(preset, Look.STRUCTURE, of_photographs=False)
    assert drawn == pretrain_preset(preset, Look.STRUCTURE)


def test_patches_pull_a_style_and_d_b_what_else_there_is():
    pulled_by = {
        name: adapt_preset(model).weights
        for name, model in {
            "photographs": pretrain_preset(),
            "photographs, --light 0": dataclasses.replace(pretrain_preset(), random_light=0.0),
            "paintings": pretrain_preset(of_photographs=False),
            "drawings": pretrain_preset(look=Look.STRUCTURE),
            "the paper": pretrain_preset(Preset.PAPER),
            "the paper, --light": dataclasses.replace(
                pretrain_preset(Preset.PAPER), random_light=0.4
            ),
        }.items()
    }
    pulled_by["photographs, all layers"] = adapt_preset(
        pretrain_preset(), reach=Reach.EVERYTHING
    ).weights
    by_patches = {name for name, weights in pulled_by.items() if weights.holds_patches}
    by_d_b = {name for name, weights in pulled_by.items() if weights.weight_adversarial_ab}
    assert by_patches == {"photographs", "photographs, --light 0", "paintings"}
    assert by_d_b == set(pulled_by) - by_patches


def test_strokes_are_asked_for_where_a_has_blocks_of_its_own():
    painted = pretrain_preset(of_photographs=False)
    shared = dataclasses.replace(painted.network, unshared_blocks=0)
    strokes, none = (
        adapt_preset(model) for model in (painted, dataclasses.replace(painted, network=shared))
    )
    assert (strokes.weights.weight_gram_ab > 0, strokes.weights.weight_patch_ab) == (True, 0)
    assert (none.weights.weight_gram_ab, none.weights.weight_patch_ab > 0) == (0, True)
    assert strokes.steps > none.steps
    assert (strokes.folder_learns, none.folder_learns) == (False, False)


@pytest.mark.parametrize("preset", Preset)
def test_a_pull_by_patches_asks_no_discriminator_and_teaches_a_alone(preset):
    model = pretrain_preset(preset)
    config, by_paper = (adapt_preset(model, pull=one) for one in (Pull.PATCHES, Pull.DISCRIMINATOR))
    assert config.weights.weight_adversarial_ab == by_paper.weights.weight_patch_ab == 0
    assert config.weights.weight_patch_ab > 0
    assert (config.folder_learns, by_paper.folder_learns) == (False, True)
    assert config.num_views_b > by_paper.num_views_b == by_paper.optim.batch_size
    with pytest.raises(ValueError, match="no layers but its own"):
        dataclasses.replace(config, reach=Reach.EVERYTHING)
