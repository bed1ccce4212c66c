import numpy as np
import pytest
import torch
from PIL import Image

from ostcli.images.tensors import image_to_tensor, tensor_to_image


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
