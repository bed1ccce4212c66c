import numpy as np
import pytest
import torch
from PIL import Image

from ostcli.images.tensors import (
    image_to_tensor,
    levels_of,
    levels_to_tensor,
    picture_of,
    pixels_of,
    tensor_to_image,
)


def every_level():
    levels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    return np.dstack([levels, levels[::-1], levels[:, ::-1]])


def test_every_level_survives_the_round_trip():
    back = tensor_to_image(image_to_tensor(Image.fromarray(every_level())))

    assert back.mode == "RGB"
    assert (np.asarray(back) == every_level()).all()


def test_a_tensor_has_channels_first_and_runs_from_minus_one_to_one():
    tensor = image_to_tensor(Image.fromarray(every_level()))

    assert tensor.shape == (3, 8, 32)
    assert tensor.dtype == torch.float32
    assert tensor[0, 0, 0] == -1
    assert tensor[0, -1, -1] == 1
    assert tensor.is_contiguous()


def test_numbers_made_on_a_device_are_those_of_each_picture_by_itself():
    images = [Image.fromarray(every_level()), Image.fromarray(every_level()[:, ::-1])]
    levels = levels_of(images)

    assert levels.dtype == torch.uint8
    actual = levels_to_tensor(levels)
    assert torch.equal(actual, torch.stack([image_to_tensor(image) for image in images]))
    assert actual.is_contiguous()


def test_values_are_rounded_and_clamped():
    values = torch.tensor([-9.0, -1.0, 0.0, 0.999, 9.0]).expand(3, 1, 5)

    assert np.asarray(tensor_to_image(values))[0, :, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_batch_of_one_of_any_float_type_is_a_picture(dtype):
    batch = torch.zeros(1, 3, 4, 6, dtype=dtype, requires_grad=True)

    assert tensor_to_image(batch).size == (6, 4)
    assert batch.detach().abs().sum() == 0


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (1, 4, 4), (4, 4), (4, 4, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="shape"):
        tensor_to_image(torch.zeros(shape))


def test_pixels_are_shares_of_white_by_row_and_column():
    grey = np.array([[[v] * 3 for v in row] for row in ([0, 51, 255], [102, 153, 204])], np.uint8)
    pixels = pixels_of(Image.fromarray(grey))
    assert pixels.shape == (2, 3, 3)
    assert pixels[..., 1] == pytest.approx(np.array([[0, 0.2, 1], [0.4, 0.6, 0.8]]))


def test_pixels_out_of_range_are_clipped_and_others_rounded():
    one = picture_of(np.array([[[-0.5, 0.5, 1.5], [0.2, 0.201, 0.203]]]))
    assert np.asarray(one).tolist() == [[[0, 128, 255], [51, 51, 52]]]


def test_a_picture_comes_back_from_its_pixels(noise_picture):
    image = noise_picture(7, 5)
    assert picture_of(pixels_of(image)).tobytes() == image.tobytes()
