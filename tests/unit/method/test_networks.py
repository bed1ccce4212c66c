import dataclasses
import math

import pytest
import torch
from torch import nn

from ostcli.config import (
    Birth,
    LatentForm,
    Look,
    NetworkConfig,
    Norm,
    Padding,
    Preset,
    Upsampling,
)
from ostcli.method.architecture import ResidualBlock, build_networks
from ostcli.method.colour import from_opponent
from ostcli.method.detail import fine_detail
from ostcli.method.networks import Code, Latent, LatentHead
from ostcli.presets import pretrain_preset

AUTHORS = pretrain_preset(Preset.PAPER).network
SHARED = ("encoder_shared", "decoder_shared")


def tiny(**fields):
    base = {"width": 4, "num_blocks": 1, "discriminator_width": 4, "discriminator_layers": 2}
    return NetworkConfig(**(base | fields))


def pictures(height=16, width=16):
    generator = torch.Generator().manual_seed(3)
    return torch.rand((2, 3, height, width), generator=generator) * 2 - 1


def channels_of(module):
    """Channels in and out of each convolution outside residual blocks and the latent's head."""
    if isinstance(module, ResidualBlock | LatentHead):
        return []
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        return [(module.in_channels, module.out_channels)]
    return [pair for child in module.children() for pair in channels_of(child)]


def count(module, kind):
    return sum(isinstance(part, kind) for part in module.modules())


def num_weights(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


@pytest.mark.parametrize("latent", LatentForm)
@pytest.mark.parametrize("upsampling", Upsampling)
@pytest.mark.parametrize("unshared", [0, 1, 2])
def test_every_architecture_keeps_the_shapes(unshared, upsampling, latent):
    config = tiny(unshared_stages=unshared, upsampling=upsampling, latent=latent)
    networks = build_networks(config, with_domain_a=True)
    x = pictures(24, 16)

    code = networks.encode_b(x)

    assert code.mean.shape == (2, 16, 6, 4)
    assert (code.log_variance is None) == (latent is LatentForm.DETERMINISTIC)
    if code.log_variance is not None:
        assert code.log_variance.shape == code.mean.shape
    for path in ("reconstruct_bb", "reconstruct_aa", "translate_ab", "translate_ba"):
        result = getattr(networks, path)(x)
        assert (result.shape, result.dtype) == (x.shape, torch.float32)
        assert result.abs().max() <= 1
    assert networks.score_b(x).shape == (2, 1, 4, 2)


@pytest.mark.parametrize("num_stages", [1, 2, 3])
def test_sizes_must_be_multiples_of_two_to_the_stages(num_stages):
    networks = build_networks(tiny(num_stages=num_stages))
    side = 3 * networks.multiple

    assert networks.multiple == 2**num_stages
    assert networks.reconstruct_bb(pictures(side, side)).shape == (2, 3, side, side)


@pytest.mark.parametrize("upsampling", Upsampling)
@pytest.mark.parametrize(
    ("unshared", "encoder_b", "encoder_shared", "decoder_shared", "decoder_b"),
    [
        (0, [(3, 4)], [(4, 8), (8, 16)], [(16, 8), (8, 4)], [(4, 3)]),
        (1, [(3, 4), (4, 8)], [(8, 16)], [(16, 8)], [(8, 4), (4, 3)]),
        (2, [(3, 4), (4, 8), (8, 16)], [], [], [(16, 8), (8, 4), (4, 3)]),
    ],
)
def test_unshared_stages_move_from_the_shared_layers_to_b_s_own(
    unshared, encoder_b, encoder_shared, decoder_shared, decoder_b, upsampling
):
    networks = build_networks(tiny(unshared_stages=unshared, upsampling=upsampling, num_blocks=3))

    assert channels_of(networks.encoder_b) == encoder_b
    assert channels_of(networks.encoder_shared) == encoder_shared
    assert channels_of(networks.decoder_shared) == decoder_shared
    assert channels_of(networks.decoder_b) == decoder_b
    assert [count(getattr(networks, part), ResidualBlock) for part in SHARED] == [3, 3]
    assert count(networks.encoder_b, ResidualBlock) == count(networks.decoder_b, ResidualBlock) == 0


def test_unshared_blocks_move_from_the_shared_layers_to_b_s_own():
    config = tiny(unshared_stages=2, unshared_blocks=2, num_blocks=3)
    networks = build_networks(config, with_domain_a=True)
    shared = build_networks(dataclasses.replace(config, unshared_blocks=0), with_domain_a=False)

    assert [count(getattr(networks, part), ResidualBlock) for part in SHARED] == [1, 1]
    for own in ("encoder_a", "encoder_b", "decoder_a", "decoder_b"):
        assert count(getattr(networks, own), ResidualBlock) == 2
    x = pictures(24, 16)
    assert torch.equal(networks.reconstruct_bb(x), shared.reconstruct_bb(x))
    assert torch.equal(networks.translate_ab(x), networks.reconstruct_bb(x))


@pytest.mark.parametrize(("look", "stages"), [(Look.STYLE, 0), (Look.STRUCTURE, 2)])
def test_looks_differ_in_what_is_unshared_and_in_nothing_else(look, stages):
    network = pretrain_preset(Preset.PAPER, look).network
    networks = build_networks(network)

    assert network.unshared_stages == stages
    assert num_weights(networks) == num_weights(build_networks(AUTHORS))


def test_the_authors_architecture_has_their_number_of_weights():
    def conv(size, channels_in, channels_out):
        return size * size * channels_in * channels_out + channels_out

    blocks = 6 * 2 * conv(3, 256, 256)
    stages = conv(3, 64, 128) + conv(3, 128, 256)
    mirrored = conv(3, 256, 128) + conv(3, 128, 64)
    discriminator = (
        conv(4, 3, 64) + conv(4, 64, 128) + conv(4, 128, 256) + conv(4, 256, 512) + conv(4, 512, 1)
    )

    networks = build_networks(AUTHORS)

    assert num_weights(networks.encoder_b) == conv(7, 3, 64)
    assert num_weights(networks.encoder_shared) == stages + blocks
    assert num_weights(networks.decoder_shared) == blocks + mirrored
    assert num_weights(networks.decoder_b) == conv(7, 64, 3)
    assert num_weights(networks.discriminator_b) == discriminator


def test_norms_carry_no_weights_of_their_own():
    networks = build_networks(tiny(), with_domain_a=True)

    assert not [
        norm for norm in networks.modules() if isinstance(norm, nn.InstanceNorm2d) and norm.affine
    ]


def test_weights_are_drawn_from_the_authors_normal_and_biases_are_zero():
    networks = build_networks(
        tiny(width=32, num_blocks=2, norm=Norm.INSTANCE, discriminator_norm=Norm.INSTANCE)
    )
    drawn = torch.cat([p.flatten() for n, p in networks.named_parameters() if n.endswith("weight")])
    biases = [p for name, p in networks.named_parameters() if name.endswith("bias")]

    assert drawn.mean().abs() < 1e-4
    assert drawn.std().item() == pytest.approx(0.02, rel=0.01)
    assert all(not bias.any() for bias in biases)


def test_without_norm_a_layer_s_weights_keep_the_variance_of_what_comes_in():
    layers = build_networks(tiny(discriminator_width=32)).discriminator_b
    second = next(layer for layer in layers[1:] if isinstance(layer, nn.Conv2d))

    assert second.weight.std().item() == pytest.approx((2 / (32 * 16)) ** 0.5, rel=0.02)


def flat_pictures(*colours):
    return torch.tensor(colours)[:, :, None, None].expand(-1, -1, 32, 32)


@pytest.mark.parametrize(
    ("norm", "kept"), [(Norm.INSTANCE, False), (Norm.LAYER, True), (Norm.NONE, True)]
)
@torch.no_grad()
def test_only_instance_norm_loses_the_colour_of_a_flat_picture(norm, kept):
    networks = build_networks(tiny(norm=norm))
    x = flat_pictures((0.8, -0.6, 0.1), (-0.5, 0.2, 0.9))

    features = networks.encoder_b(x)

    assert torch.allclose(features[0], features[1], atol=1e-3) is not kept


@pytest.mark.parametrize("norm", [Norm.LAYER, Norm.NONE])
@torch.no_grad()
def test_the_colour_of_a_flat_picture_reaches_latent_and_reconstruction(norm):
    networks = build_networks(tiny(norm=norm))
    x = flat_pictures((0.8, -0.6, 0.1), (-0.5, 0.2, 0.9))

    for first, second in (networks.encode_b(x).mean, networks.reconstruct_bb(x)):
        assert (first - second).abs().mean() > 0.1 * first.abs().mean()


@pytest.mark.parametrize(("norm", "factor"), [(Norm.INSTANCE, 1), (Norm.NONE, 2)])
@torch.no_grad()
def test_only_without_norm_the_discriminator_sees_how_bright_a_flat_picture_is(norm, factor):
    networks = build_networks(tiny(discriminator_norm=norm))
    networks.discriminator_b[0].weight *= 100  # so that the norm's epsilon does not matter
    dark, bright = networks.score_b(flat_pictures((0.4, 0.2, 0.1), (0.8, 0.4, 0.2)))

    assert torch.allclose(bright, factor * dark, rtol=0.01, atol=1e-3)


def test_a_seed_gives_the_same_bytes_and_another_seed_others():
    first, again, other = (build_networks(tiny(), seed=seed).state_dict() for seed in (1, 1, 2))

    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["encoder_b.1.weight"], other["encoder_b.1.weight"])


def test_a_has_no_layers_before_phase_two():
    networks = build_networks(tiny())

    assert networks.encoder_a is None
    assert networks.decoder_a is None
    with pytest.raises(AssertionError, match="add_domain_a"):
        networks.translate_ab(pictures())


@pytest.mark.parametrize("unshared", [0, 2])
def test_a_is_born_as_a_clone_of_b(unshared):
    networks = build_networks(tiny(unshared_stages=unshared), with_domain_a=True)
    x = pictures()

    for mine, theirs in (
        (networks.encoder_a, networks.encoder_b),
        (networks.decoder_a, networks.decoder_b),
    ):
        assert all(map(torch.equal, mine.parameters(), theirs.parameters()))
        assert not {p.data_ptr() for p in mine.parameters()} & {
            p.data_ptr() for p in theirs.parameters()
        }
    expected = networks.reconstruct_bb(x)
    for path in (networks.reconstruct_aa, networks.translate_ab, networks.translate_ba):
        assert torch.equal(path(x), expected)


def test_a_random_birth_gives_a_layers_of_its_own():
    networks = build_networks(tiny())
    networks.add_domain_a(Birth.RANDOM, torch.Generator().manual_seed(5))

    assert not torch.equal(networks.encoder_a[1].weight, networks.encoder_b[1].weight)
    assert not torch.equal(networks.decoder_a[-1].weight, networks.decoder_b[-1].weight)
    assert networks.encoder_a[1].weight.std().item() == pytest.approx(0.02, rel=0.1)


class Tag(nn.Module):
    """A layer that only says that it was passed."""

    def __init__(self, name, log):
        super().__init__()
        self.name = name
        self.log = log

    def forward(self, x):
        self.log.append(self.name)
        return x


@pytest.mark.parametrize(
    ("path", "first", "last"),
    [
        ("reconstruct_bb", "encoder_b", "decoder_b"),
        ("reconstruct_aa", "encoder_a", "decoder_a"),
        ("translate_ab", "encoder_a", "decoder_b"),
        ("translate_ba", "encoder_b", "decoder_a"),
    ],
)
def test_each_path_goes_through_the_layers_that_the_paper_says(path, first, last):
    networks, log = build_networks(tiny(), with_domain_a=True), []
    for name in ("encoder_a", "encoder_b", *SHARED, "decoder_a", "decoder_b"):
        head = [LatentHead(3, LatentForm.DETERMINISTIC)] if name == "encoder_shared" else []
        setattr(networks, name, nn.Sequential(Tag(name, log), *head))

    getattr(networks, path)(pictures())

    assert log == [first, "encoder_shared", "decoder_shared", last]


@pytest.mark.parametrize("latent", LatentForm)
def test_each_path_decodes_the_mean_of_what_it_encodes(latent):
    networks, x = build_networks(tiny(latent=latent, detail_radius=2), seed=1), pictures()
    networks.add_domain_a(Birth.RANDOM, torch.Generator().manual_seed(5), stroke_filter=0.05)
    encode = {"a": networks.encode_a, "b": networks.encode_b}
    decode = {"a": networks.decode_a, "b": networks.decode_b}

    for path in ("reconstruct_bb", "reconstruct_aa", "translate_ab", "translate_ba"):
        source, target = path[-2:]
        assert torch.equal(getattr(networks, path)(x), decode[target](encode[source](x).mode))


@pytest.mark.parametrize(("layers", "pixels"), [(1, 16), (2, 34), (3, 70)])
def test_one_score_of_the_discriminator_sees_a_patch(layers, pixels):
    discriminator = build_networks(tiny(discriminator_layers=layers)).discriminator_b
    for index, layer in enumerate(discriminator):
        if isinstance(layer, nn.GroupNorm):  # sees the whole picture, faintly
            discriminator[index] = nn.Identity()
        elif isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 0.1)  # so that nothing cancels
    x = torch.ones((1, 3, 128, 128), requires_grad=True)

    scores = discriminator(x)
    scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2].backward()

    seen = x.grad[0].abs().sum(0) > 0
    assert (int(seen.any(0).sum()), int(seen.any(1).sum())) == (pixels, pixels)


def test_a_second_scale_of_the_discriminator_sees_the_picture_at_half_its_size():
    networks = build_networks(tiny(discriminator_scales=2))
    x = pictures(64, 48)
    halved = x.reshape(2, 3, 32, 2, 24, 2).mean((3, 5))

    fine, coarse = networks.score_b(x).split(1, dim=1)

    assert torch.equal(fine, networks.discriminator_b(x))
    (second,) = networks.coarser_discriminators_b
    expected = second(halved)
    assert (fine.shape, expected.shape) == ((2, 1, 14, 10), (2, 1, 6, 4))
    torch.testing.assert_close(coarse[:, :, ::7, ::5], expected[:, :, ::3, ::2])
    assert coarse.unique().numel() == expected.numel()


def test_each_scale_of_the_discriminator_has_weights_of_its_own():
    networks = build_networks(tiny(discriminator_scales=3))
    scales = [networks.discriminator_b, *networks.coarser_discriminators_b]

    assert len({num_weights(scale) for scale in scales}) == 1
    assert len({scale[0].weight.sum().item() for scale in scales}) == 3


def test_sampling_has_the_asked_mean_and_variance():
    shape = (1, 4, 200, 200)
    latent = Latent(mean=torch.full(shape, 1.5), log_variance=torch.full(shape, math.log(0.25)))

    z, _ = latent.sample(torch.Generator().manual_seed(0))

    assert z.mean().item() == pytest.approx(1.5, abs=0.01)
    assert z.var().item() == pytest.approx(0.25, rel=0.02)
    assert torch.equal(z, latent.sample(torch.Generator().manual_seed(0)).z)


def test_the_deterministic_form_draws_no_noise():
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    mean = torch.randn(1, 4, 3, 3)

    latent = Latent(mean=mean, log_variance=None)
    assert torch.equal(latent.sample(generator).z, mean)
    assert torch.equal(latent.mode.z, mean)
    assert torch.equal(generator.get_state(), before)


def test_the_sampled_form_starts_with_little_noise_and_keeps_its_log_variance_in_bounds():
    networks = build_networks(tiny(latent=LatentForm.SAMPLED))
    head = networks.encoder_shared[-1]

    assert networks.encode_b(pictures()).log_variance.mean().item() == pytest.approx(-4, abs=0.2)
    for bias, bound in ((1e3, 4.0), (-1e3, -12.0)):
        nn.init.constant_(head.log_variance.bias, bias)
        assert torch.all(networks.encode_b(pictures()).log_variance == bound)


def with_detail():
    return build_networks(tiny(detail_radius=2), with_domain_a=True)


def test_detail_reaches_the_picture_past_the_latent():
    networks, x = with_detail(), pictures()
    code = networks.encode_b(x).mode
    assert torch.equal(code.detail, fine_detail(x, 2))
    without = networks.decode_b(Code(code.z, torch.zeros_like(code.detail)))
    difference = networks.decode_b(code) - without
    gain = 1 + networks.decoder_b(networks.decoder_shared(code.z))[:, 3:]
    assert torch.allclose(difference, from_opponent(gain * code.detail), atol=1e-5)
    assert without.abs().max() <= 1


def test_every_decoder_of_a_code_gives_the_same_with_one_pass():
    networks, x = with_detail(), pictures()
    code = networks.encode_a(x).mode
    both = networks.decode_both(code)
    assert torch.equal(both[0], networks.decode_a(code))
    assert torch.equal(both[1], networks.decode_b(code))


def test_without_a_radius_nothing_goes_past_the_latent():
    networks = build_networks(tiny())
    assert networks.encode_b(pictures()).detail is None
    assert networks.decoder_b[-1].out_channels == 3


def test_padding_by_reflection_leaves_a_flat_picture_without_a_rim():
    flat = torch.full((1, 3, 32, 32), 0.4)

    def rim(padding):
        networks = build_networks(tiny(padding=padding, norm=Norm.NONE))
        features = networks.encoder_shared[:2](networks.encoder_b(flat))
        return (features - features.mean((2, 3), keepdim=True)).abs().max().item()

    assert rim(Padding.REFLECT) < 1e-5 < rim(Padding.ZEROS)
