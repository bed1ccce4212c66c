import pytest
import torch
import torch.nn.functional as F

from ostcli.images.scenes import Season, draw_scene
from ostcli.images.tensors import image_to_tensor
from ostcli.method.patches import gram_distance, most_alike, patch_distance


def noise(seed, *shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def scene(season, seed=0):
    return image_to_tensor(draw_scene(seed, season, 64))[None]


@pytest.fixture(params=[patch_distance, gram_distance])
def distance(request):
    def of(pictures, target, seed=0):
        return request.param(pictures, target, torch.Generator().manual_seed(seed))

    return of


def test_pictures_are_next_to_themselves(distance):
    picture = noise(0, 1, 3, 64, 64)
    other = noise(1, 1, 3, 64, 64) * 0.3 + 0.4
    assert distance(picture, picture) < 0.1 * distance(picture, other)


def test_places_do_not_matter(distance):
    picture, winter = scene(Season.SUMMER), scene(Season.WINTER)
    upside_down = picture.flip(2)
    assert (upside_down - picture).abs().mean() > (winter - picture).abs().mean()
    assert distance(upside_down, picture) < 0.4 * distance(winter, picture)


def test_both_colour_and_texture_matter(distance):
    target = noise(1, 2, 3, 64, 64)
    assert distance(noise(0, 1, 3, 64, 64), target) < distance(target[:1] + 0.3, target)
    striped = target[:1].mean(2, keepdim=True).expand(-1, -1, 64, -1)
    assert distance(noise(0, 1, 3, 64, 64), target) < distance(striped, target)


def test_a_step_along_the_gradient_brings_pictures_nearer():
    target = noise(1, 2, 3, 64, 64) * 0.2 + 0.5
    picture = (noise(0, 1, 3, 64, 64) * 0.2).requires_grad_()
    first = patch_distance(picture, target, torch.Generator().manual_seed(0))
    first.backward()
    moved = picture.detach() - 2000 * picture.grad
    assert patch_distance(moved, target, torch.Generator().manual_seed(0)) < 0.8 * first


def test_steps_along_the_gradient_bring_pictures_nearer(distance):
    target = scene(Season.WINTER, 1)
    picture = scene(Season.SUMMER).requires_grad_()
    first = distance(picture, target)
    steps = torch.optim.Adam([picture], lr=0.02)
    for seed in range(20):
        steps.zero_grad()
        distance(picture, target, seed).backward()
        steps.step()
    assert distance(picture, target) < 0.7 * first


def test_the_same_generator_gives_the_same(distance):
    picture, target = noise(0, 1, 3, 40, 40), noise(1, 1, 3, 40, 40)
    assert torch.equal(distance(picture, target, 3), distance(picture, target, 3))


def test_gram_matrices_care_more_for_what_is_fine_and_less_for_a_shade_of_colour():
    picture = scene(Season.SUMMER)
    soft = F.avg_pool2d(F.pad(picture, (1, 1, 1, 1), mode="reflect"), 3, 1)
    by_gram, by_patches = (
        of(soft, picture, generator) / of(picture + 0.1, picture, generator)
        for generator in [torch.Generator().manual_seed(0)]
        for of in (gram_distance, patch_distance)
    )
    assert by_gram > 2 * by_patches


@pytest.mark.parametrize("size", [64, 72, 8])
def test_pictures_that_share_out_brightness_alike_are_kept(size):
    rows = torch.linspace(-1, 1, size).expand(3, size, size)
    dark, bright, both, flat = rows * 0.1 - 0.8, rows * 0.1 + 0.8, rows, rows * 0
    pictures = torch.stack([bright, flat, dark, both])
    turned = both.transpose(1, 2)[None]
    assert torch.equal(most_alike(pictures, turned, 0.5)[0], both)
    assert torch.equal(most_alike(pictures, dark[None] + 0.1, 0.5)[0], dark)
    of_both_kinds = torch.stack([dark, bright])
    assert torch.equal(most_alike(pictures, of_both_kinds, 0.5)[0], flat)


@pytest.mark.parametrize(
    ("share", "numbers"), [(0.5, [1, 1, 3, 6]), (1.0, [1, 2, 5, 12]), (0.01, [1, 1, 1, 1])]
)
def test_a_share_of_the_pictures_is_kept_and_never_none(share, numbers):
    example = noise(0, 1, 3, 32, 32)
    kept = [
        len(most_alike(noise(1, number, 3, 32, 32), example, share)) for number in (1, 2, 5, 12)
    ]
    assert kept == numbers
