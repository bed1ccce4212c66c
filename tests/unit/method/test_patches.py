import pytest
import torch

from ostcli.method.patches import most_alike, patch_distance


def noise(seed, *shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def distance(pictures, target, seed=0):
    return patch_distance(pictures, target, torch.Generator().manual_seed(seed))


def test_pictures_are_next_to_themselves():
    picture = noise(0, 1, 3, 64, 64)
    other = noise(1, 1, 3, 64, 64) * 0.3 + 0.4
    assert distance(picture, picture) < 0.1 * distance(picture, other)


def test_places_do_not_matter():
    picture, target = noise(0, 1, 3, 64, 64), noise(1, 2, 3, 48, 80) * 0.5
    mirrored = picture.flip(3)
    assert distance(mirrored, target).item() == pytest.approx(
        distance(picture, target).item(), rel=0.1
    )


def test_both_colour_and_texture_matter():
    target = noise(1, 2, 3, 64, 64)
    assert distance(noise(0, 1, 3, 64, 64), target) < distance(target[:1] + 0.3, target)
    striped = target[:1].mean(2, keepdim=True).expand(-1, -1, 64, -1)
    assert distance(noise(0, 1, 3, 64, 64), target) < distance(striped, target)


def test_a_step_along_the_gradient_brings_pictures_nearer():
    target = noise(1, 2, 3, 64, 64) * 0.2 + 0.5
    picture = (noise(0, 1, 3, 64, 64) * 0.2).requires_grad_()
    first = distance(picture, target)
    first.backward()
    moved = picture.detach() - 2000 * picture.grad
    assert distance(moved, target) < 0.8 * first


def test_the_same_generator_gives_the_same():
    picture, target = noise(0, 1, 3, 40, 40), noise(1, 1, 3, 40, 40)
    assert torch.equal(distance(picture, target, 3), distance(picture, target, 3))


@pytest.mark.parametrize("size", [64, 72, 8])
def test_pictures_that_share_out_brightness_alike_are_kept(size):
    rows = torch.linspace(-1, 1, size).expand(3, size, size)
    dark, bright, both, flat = rows * 0.1 - 0.8, rows * 0.1 + 0.8, rows, rows * 0
    pictures = torch.stack([bright, flat, dark, both])
    turned = both.transpose(1, 2)[None]
    assert torch.equal(most_alike(pictures, turned)[0], both)
    assert torch.equal(most_alike(pictures, dark[None] + 0.1)[0], dark)
    of_both_kinds = torch.stack([dark, bright])
    assert torch.equal(most_alike(pictures, of_both_kinds)[0], flat)


def test_half_of_the_pictures_are_kept_and_never_none():
    example = noise(0, 1, 3, 32, 32)
    kept = [len(most_alike(noise(1, number, 3, 32, 32), example)) for number in (1, 2, 5, 12)]
    assert kept == [1, 1, 3, 6]
