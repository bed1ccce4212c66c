import pytest
import torch

from ostcli.method.patches import patch_distance


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
