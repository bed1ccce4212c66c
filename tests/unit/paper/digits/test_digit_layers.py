"""The digits' networks: the paper's sizes, and clones between grey and colours."""

import pytest
import torch
from torch import nn

from ostcli.config import Birth, LatentForm
from ostcli.method.networks import Networks
from ostcli.paper.digits.layers import DigitLayers


def networks_of(layers: DigitLayers, birth: Birth = Birth.CLONE) -> Networks:
    generator = torch.Generator().manual_seed(0)
    networks = Networks(layers, generator)
    networks.add_domain_a(birth, generator)
    return networks


def digits(colours: int, number: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(number, colours, 32, 32, generator=generator) * 2 - 1


@pytest.mark.parametrize(("colours_a", "colours_b"), [(3, 1), (1, 3), (3, 3)])
def test_shapes_are_the_papers(colours_a, colours_b):
    networks = networks_of(DigitLayers(colours_b=colours_b, colours_a=colours_a))
    latent = networks.encode_a(digits(colours_a))

    assert latent.mean.shape == (2, 128, 8, 8)
    recon_aa, trans_ab = networks.decode_both(latent.mode)
    assert recon_aa.shape == (2, colours_a, 32, 32)
    assert trans_ab.shape == (2, colours_b, 32, 32)
    assert networks.score_b(trans_ab).shape == (2, 1, 1, 1)


def test_the_number_of_weights_is_that_of_the_layers_in_the_paper():
    networks = networks_of(DigitLayers(colours_b=1, colours_a=3))
    norms = 2 * 64 + 2 * (128 + 128)  # E's scales and shifts
    encoder = 4 * 4 * 64 + 4 * 4 * 64 * 128 + 3 * 3 * 128 * 128 + norms
    decoder = 3 * 3 * 128 * 128 + 4 * 4 * 128 * 64 + 4 * 4 * 64 + 2 * (128 + 64)
    discriminator = (
        4 * 4 * 64 + 4 * 4 * 64 * 128 + 4 * 4 * 128 * 256 + 4 * 4 * 256 + 2 * (128 + 256)
    )

    def count(*modules: nn.Module) -> int:
        return sum(weight.numel() for module in modules for weight in module.parameters())

    assert count(networks.encoder_b, networks.encoder_shared) == encoder
    assert count(networks.decoder_shared, networks.decoder_b) == decoder
    assert count(networks.discriminator_b) == discriminator


def test_every_weight_is_of_the_seed():
    layers = DigitLayers(colours_b=1, colours_a=3, latent=LatentForm.SAMPLED)
    first, second = networks_of(layers).state_dict(), networks_of(layers).state_dict()

    assert any("log_variance.bias" in name for name in first)
    for name, weight in first.items():
        torch.testing.assert_close(weight, second[name], rtol=0, atol=0)


@pytest.mark.parametrize(("colours_a", "colours_b"), [(3, 1), (1, 3)])
def test_a_clone_sees_a_grey_picture_as_b_does(colours_a, colours_b):
    networks = networks_of(DigitLayers(colours_b=colours_b, colours_a=colours_a))
    grey = digits(1)
    x_a, x_b = grey.expand(-1, colours_a, -1, -1), grey.expand(-1, colours_b, -1, -1)

    latent_a, latent_b = networks.encode_a(x_a), networks.encode_b(x_b)
    torch.testing.assert_close(latent_a.mean, latent_b.mean, rtol=1e-4, atol=1e-4)
    before = torch.atanh(networks.decode_a(latent_b.mode)).mean(1)
    torch.testing.assert_close(
        before, torch.atanh(networks.decode_b(latent_b.mode)).mean(1), rtol=1e-3, atol=1e-4
    )


def test_random_birth_shares_no_weight_with_b():
    networks = networks_of(DigitLayers(colours_b=3, colours_a=3), Birth.RANDOM)

    assert not torch.equal(networks.encoder_a[0].weight, networks.encoder_b[0].weight)


def test_the_sampled_form_has_a_variance():
    networks = networks_of(DigitLayers(colours_b=1, colours_a=3, latent=LatentForm.SAMPLED))

    assert networks.encode_b(digits(1)).log_variance is not None


def test_swapping_domains_twice_changes_nothing():
    layers = DigitLayers(colours_b=1, colours_a=3)

    assert (layers.swapped.colours_b, layers.swapped.colours_a) == (3, 1)
    assert layers.swapped.swapped == layers


def test_scores_of_real_and_made_pictures_do_not_depend_on_one_another():
    networks = networks_of(DigitLayers(colours_b=1, colours_a=3))
    real, made = digits(1), -digits(1)

    scores_real, scores_made = networks.score_both(real, made)

    torch.testing.assert_close(scores_real, networks.score_b(real), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(scores_made, networks.score_b(made), rtol=1e-4, atol=1e-5)


def test_equal_seeds_draw_equal_weights():
    layers = DigitLayers(colours_b=1, colours_a=3)
    one, other = networks_of(layers), networks_of(layers)

    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])
