"""Layers in forms that a CPU computes faster: the same results, up to rounding.

Legend: N batch, C channels in, K channels out, H W pixels.
A CPU's library is at its best where there are some ten to some hundred channels on both sides. To
three or six channels it runs at a fifth of its rate; between many the arithmetic itself can be
less, for which see `winograd.py`. On other devices these are torch's own (decision 0038).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ostcli.config import Padding

_Map = Callable[[Tensor], Tensor]


class _Linear(torch.autograd.Function):
    """A linear map whose transpose is written out, as torch's own gradient of it is slower."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, of: _Map, transpose: _Map) -> Tensor:  # noqa: ANN401 - torch's own
        ctx.transpose = transpose
        return of(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        return ctx.transpose(gradient), None, None


def mapped(x: Tensor, of: _Map, transpose: _Map) -> Tensor:
    """Return what a linear map makes of x; the gradient goes through its transpose.

    Args:
        x: what is mapped.
        of: the map.
        transpose: of the map, from a gradient of its result to one of x.
    """
    result: Tensor = _Linear.apply(x, of, transpose)
    return result


class MirrorPad2d(nn.ReflectionPad2d):
    """The picture continued by its mirror image: torch's own, with a gradient of whole rows.

    Args:
        width: of the rim, in pixels.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, H, W) to (N, C, H + 2 width, W + 2 width)."""
        return _mirrored(x, self.padding[0])


def _mirrored(x: Tensor, width: int) -> Tensor:
    pad = partial(_padded, width=width, mode="reflect")
    if x.device.type != "cpu":
        return pad(x)
    return mapped(x, pad, partial(_without_rim, width=width))


def _padded(x: Tensor, width: int, mode: str) -> Tensor:
    """Return x with a rim, in its own precision: autocast would make it float32, for nothing."""
    with torch.autocast(x.device.type, enabled=False):
        return F.pad(x, (width, width, width, width), mode=mode)


def _without_rim(gradient: Tensor, width: int) -> Tensor:
    """Shape (N, C, H + 2 width, W + 2 width) to (N, C, H, W): the rim to what it mirrors."""
    height = gradient.shape[2] - 2 * width
    above, inner, below = torch.split(gradient, [width, height, width], dim=2)
    inner, above, below = (_without_sides(rows, width) for rows in (inner, above, below))
    inner[:, :, 1 : 1 + width].add_(above.flip(2))
    inner[:, :, height - 1 - width : height - 1].add_(below.flip(2))
    return inner


def _without_sides(gradient: Tensor, width: int) -> Tensor:
    """Shape (N, C, H, W + 2 width) to (N, C, H, W)."""
    length = gradient.shape[3] - 2 * width
    left, inner, right = torch.split(gradient, [width, length, width], dim=3)
    inner = inner.clone(memory_format=torch.contiguous_format)
    inner[..., 1 : 1 + width].add_(left.flip(3))
    inner[..., length - 1 - width : length - 1].add_(right.flip(3))
    return inner


class PlaneNorm2d(nn.InstanceNorm2d):
    """Instance norm without weights: torch's own.

    Groups of one channel are the same, and a CPU has a faster kernel for them; but where channels
    are last, that one loses planes that are nearly flat and far from 0.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, H, W) in and out."""
        if x.device.type == "cpu" and x.is_contiguous():
            return F.group_norm(x, x.shape[1], eps=self.eps)
        return F.instance_norm(x, eps=self.eps)


class HalvingConv2d(nn.Conv2d):
    """Height and width halved, channels doubled: a 3 × 3 convolution at every other pixel.

    Args:
        channels: C; 2 C come out.
        padding: what lies beyond the border.
    """

    def __init__(self, channels: int, padding: Padding) -> None:
        super().__init__(channels, 2 * channels, 3, stride=2, padding=1, padding_mode=padding.value)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, H, W) to (N, 2 C, ⌈H / 2⌉, ⌈W / 2⌉)."""
        if self.padding_mode == Padding.ZEROS.value:
            return super().forward(x)
        return F.conv2d(_mirrored(x, 1), self.weight, self.bias, self.stride)


class DoublingConv2d(nn.Conv2d):
    """Height and width doubled by the nearest pixel, a mirrored rim, and a 3 × 3 convolution.

    A pixel of a doubled picture is one of four that are alike, so of 9 numbers of a kernel at most
    4 meet different pixels: the kernel is summed for each of the four places that a result has
    among those, and the picture is convolved before it is doubled, by less than half the products.

    Args:
        channels_in, channels_out: C and K.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, h, w) to (N, K, 2h, 2w)."""
        num, _, height, width = x.shape
        kernels = _halves(_halves(self.weight, 2), 4)  # (2 across, 2 down, K, C, 2, 2)
        # The mirrored rim of a doubled picture is that picture's own border once more.
        padded = _padded(x, 1, "replicate")
        quarters = F.conv2d(padded, kernels.flatten(0, 2))
        quarters = quarters.view(num, 2, 2, -1, height + 1, width + 1)
        rows = [
            torch.stack(
                [
                    quarters[:, across, down, :, down : down + height, across : across + width]
                    for across in range(2)
                ],
                dim=-1,
            )
            for down in range(2)
        ]
        assert self.bias is not None
        doubled = torch.stack(rows, dim=3).reshape(num, -1, 2 * height, 2 * width)
        return doubled + self.bias.to(doubled)[:, None, None]


def _halves(kernels: Tensor, dim: int) -> Tensor:
    """Sum the three numbers along a side of kernels to two, for either half of a doubled pixel.

    Returns:
        Shape (2, …): for the first half, then for the second; 2 at `dim` behind that.
    """
    first, middle, last = kernels.unbind(dim)
    return torch.stack(
        (torch.stack((first, middle + last), dim), torch.stack((first + middle, last), dim))
    )


class NarrowConv2d(nn.Conv2d):
    """A convolution to few channels: by columns of the kernel first, whose results are then added.

    Args:
        channels_in, channels_out: C and K.
        side: of the square kernel; nothing is padded.
    """

    def __init__(self, channels_in: int, channels_out: int, side: int) -> None:
        super().__init__(channels_in, channels_out, side)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, H, W) to (N, K, H - side + 1, W - side + 1), there float32 on a CPU."""
        if x.device.type != "cpu":
            return super().forward(x)
        columns = self.weight.permute(0, 3, 1, 2).flatten(0, 1)[..., None]  # (K · side, C, side, 1)
        by_column: Tensor = F.conv2d(x, columns)
        side, dtype = self.kernel_size[1], by_column.dtype
        summed = mapped(
            by_column, partial(_summed, side=side), partial(_spread, side=side, dtype=dtype)
        )
        assert self.bias is not None
        return summed + self.bias[:, None, None]


def _summed(by_column: Tensor, side: int) -> Tensor:
    """Add, for each channel, what each column of its kernel gave, at the column's own distance.

    Shape (N, K · side, H, W + side - 1) to (N, K, H, W), float32 at least.
    """
    width = by_column.shape[-1] - side + 1
    num, channels, height, _ = by_column.shape
    columns = by_column.view(num, channels // side, side, height, -1).unbind(2)
    at_least = torch.promote_types(by_column.dtype, torch.float32)
    summed = columns[0][..., :width].to(at_least, copy=True)
    for column in range(1, side):
        summed += columns[column][..., column : column + width]
    return summed


def _spread(gradient: Tensor, side: int, dtype: torch.dtype) -> Tensor:
    """Shape (N, K, H, W) to (N, K · side, H, W + side - 1): the transpose of `_summed`."""
    num, channels, height, width = gradient.shape
    by_column = gradient.new_zeros(num, channels, side, height, width + side - 1, dtype=dtype)
    for column in range(side):
        by_column[:, :, column, :, column : column + width] = gradient
    return by_column.flatten(1, 2)
