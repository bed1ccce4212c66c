"""The finish: local colour maps fitted small, applied large."""

import numpy as np
import pytest
from PIL import Image

from ostcli.images.finish import (
    EPSILON,
    MAX_GAIN,
    MIN_RADIUS,
    blend,
    default_radius,
    fit_local_colour,
    photo_finish,
)
from ostcli.images.recolour import apply_local_colour
from ostcli.images.tensors import image_to_array


def noise(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.8, 0.8, (3, height, width)).astype(np.float32)


def picture(height, width, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def apply_same_size(coefficients, source):
    matrix = coefficients[:9].reshape(3, 3, *source.shape[1:])
    return (matrix * source).sum(1) + coefficients[9:]


def windows(height, width, radius):
    for y in range(height):
        for x in range(width):
            yield (
                y,
                x,
                slice(max(0, y - radius), y + radius + 1),
                slice(max(0, x - radius), x + radius + 1),
            )


def plain_fit(source, target, radius, epsilon, max_gain):
    """The definition, pixel by pixel."""
    source, target = source.astype(np.float64), target.astype(np.float64)
    _, height, width = source.shape
    fitted = np.zeros((12, height, width))
    for y, x, rows, columns in windows(height, width, radius):
        s, t = source[:, rows, columns].reshape(3, -1), target[:, rows, columns].reshape(3, -1)
        s_mean, t_mean = s.mean(1, keepdims=True), t.mean(1, keepdims=True)
        cov_ss = (s - s_mean) @ (s - s_mean).T / s.shape[1]
        cov_st = (s - s_mean) @ (t - t_mean).T / s.shape[1]
        matrix = np.linalg.solve(cov_ss + epsilon * np.eye(3), cov_st).T
        fit_variance, target_variance = (matrix @ s).var(1).sum(), t.var(1).sum()
        gain = np.sqrt((target_variance + epsilon) / (fit_variance + epsilon))
        matrix = matrix * np.clip(gain, 1, max_gain)
        fitted[:9, y, x] = matrix.ravel()
        fitted[9:, y, x] = (t_mean - matrix @ s_mean).ravel()
    averaged = np.zeros_like(fitted)
    for y, x, rows, columns in windows(height, width, radius):
        averaged[:, y, x] = fitted[:, rows, columns].mean((1, 2))
    return averaged


@pytest.mark.parametrize(("height", "width"), [(9, 12), (1, 1), (1, 7), (6, 1), (3, 4)])
@pytest.mark.parametrize(("radius", "max_gain"), [(0, 3.0), (2, 3.0), (2, 1.0), (20, 1.5)])
def test_fit_agrees_with_the_definition(height, width, radius, max_gain):
    source, target = noise(height, width, 1), noise(height, width, 2)
    arguments = {"radius": radius, "epsilon": 0.01, "max_gain": max_gain}
    fitted = fit_local_colour(source, target, **arguments)
    assert fitted.dtype == np.float32
    np.testing.assert_allclose(fitted, plain_fit(source, target, **arguments), atol=1e-4, rtol=1e-4)


def test_same_target_gives_the_source_back():
    source = noise(20, 30)
    fitted = fit_local_colour(source, source, radius=3, epsilon=1e-6)
    assert np.abs(apply_same_size(fitted, source) - source).max() < 1e-3


def test_global_colour_change_is_recovered():
    source = noise(20, 30)
    matrix = np.array([[0.5, 0.2, 0.0], [0.1, 0.6, -0.1], [0.0, 0.3, 0.4]], np.float32)
    offset = np.array([0.1, -0.1, 0.0], np.float32)[:, None, None]
    target = np.einsum("ij,jhw->ihw", matrix, source) + offset
    fitted = fit_local_colour(source, target, radius=3, epsilon=1e-6)
    assert np.abs(apply_same_size(fitted, source) - target).max() < 1e-3


def test_single_precision_is_enough_where_a_picture_is_all_but_flat_and_grey():
    y, x = np.mgrid[0:40, 0:56]
    sky = np.stack([150 + x / 14, 152 + x / 14, 155 + x / 14 + y / 20], -1)
    sky = sky + np.random.default_rng(0).normal(0, 0.6, sky.shape)
    sky[20:, 30:] = (12, 11, 10)  # and a dark roof, far from the mean of all
    source = Image.fromarray(np.rint(sky).astype(np.uint8))
    target = source.point([round(255 * (level / 255) ** 0.8) for level in range(256)] * 3)
    arguments = {"radius": 4, "epsilon": EPSILON, "max_gain": MAX_GAIN}
    planes = [image_to_array(each) for each in (source, target)]
    exact = plain_fit(*planes, **arguments).astype(np.float32)
    expected, made = (
        np.asarray(apply_local_colour(source, fitted), np.int16)
        for fitted in (exact, fit_local_colour(*planes, **arguments))
    )
    assert np.abs(made - expected).max() <= 1
    assert (made != expected).mean() < 1e-3


def test_contrast_lost_by_blur_and_noise_is_restored_within_the_limit():
    source = noise(24, 24, 1)
    target = 0.5 * source + 0.5 * noise(24, 24, 2)
    spread = {
        gain: apply_same_size(
            fit_local_colour(source, target, radius=30, epsilon=1e-6, max_gain=gain), source
        ).std()
        for gain in (1.0, 1.1, 3.0)
    }
    assert spread[3.0] == pytest.approx(float(target.std()), rel=0.02)
    assert spread[1.1] == pytest.approx(1.1 * float(spread[1.0]), rel=0.02)


def test_noise_of_the_network_is_left_behind_where_the_source_is_smooth():
    source = np.tile(np.linspace(-0.5, 0.5, 48, dtype=np.float32), (3, 48, 1))
    rng = np.random.default_rng(0)
    noisy = source * 0.8 + 0.05 * rng.standard_normal(source.shape, np.float32)
    finished = apply_same_size(fit_local_colour(source, noisy, radius=8), source)
    assert (finished - source * 0.8).std() < 0.3 * (noisy - source * 0.8).std()


@pytest.mark.parametrize("level", [-1.0, 0.0, 1.0])
def test_flat_pictures_give_the_target_colour(level):
    source = np.full((3, 7, 5), level, np.float32)
    target = np.tile(np.array([0.25, -0.5, 0.75], np.float32)[:, None, None], (7, 5))
    fitted = fit_local_colour(source, target, radius=2)
    np.testing.assert_allclose(apply_same_size(fitted, source), target, atol=1e-6)


def test_grey_pictures_stay_finite_and_grey():
    grey = np.tile(noise(15, 15)[:1], (3, 1, 1))
    fitted = fit_local_colour(grey, grey * 0.5, radius=2, epsilon=1e-6)
    np.testing.assert_allclose(apply_same_size(fitted, grey), grey * 0.5, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": noise(4, 5)}, "shape"),
        ({"source": noise(4, 4)[0], "target": noise(4, 4)[0]}, "shape"),
        ({"radius": -1}, "radius"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"max_gain": 0.5}, "max_gain"),
    ],
)
def test_impossible_fits_are_refused(change, words):
    arguments = {"source": noise(4, 4), "target": noise(4, 4), "radius": 1, **change}
    with pytest.raises(ValueError, match=words):
        fit_local_colour(arguments.pop("source"), arguments.pop("target"), **arguments)


def test_photo_finish_recolours_the_source_at_its_own_size():
    small = picture(32, 48).resize((48, 32))
    large = small.resize((191, 127), Image.Resampling.BICUBIC)
    darker = small.point(lambda value: value // 2)
    result = photo_finish(large, small, darker)
    assert result.size == large.size
    assert np.abs(np.array(result) - np.array(large) / 2.0).mean() < 2


def test_default_radius_follows_the_shorter_side_down_to_a_minimum():
    assert default_radius((512, 1024)) == 8
    assert default_radius((1024, 900)) > default_radius((512, 1024))
    assert default_radius((10, 10)) == MIN_RADIUS


def test_blend_is_exact_at_both_ends_and_between_elsewhere():
    source, result = picture(5, 6, 1), picture(5, 6, 2)
    assert blend(source, result, 0).tobytes() == source.tobytes()
    assert blend(source, result, 1).tobytes() == result.tobytes()
    middle = np.array(blend(source, result, 0.25), np.float32)
    expected = 0.75 * np.array(source, np.float32) + 0.25 * np.array(result, np.float32)
    assert np.abs(middle - expected).max() <= 1


def test_blend_copies_nothing_at_its_ends():
    source, result = picture(5, 6, 1), picture(5, 6, 2)
    assert blend(source, result, 0) is source
    assert blend(source, result, 1.0) is result
    assert blend(source.convert("L"), result, 0).mode == "RGB"


@pytest.mark.parametrize(("size", "strength"), [((5, 6), 1.1), ((5, 6), -0.1), ((6, 5), 0.5)])
def test_impossible_blends_are_refused(size, strength):
    with pytest.raises(ValueError, match=r"strength|size"):
        blend(picture(5, 6), picture(*size), strength)
