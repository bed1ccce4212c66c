"""Layers in forms that a CPU computes faster: the same results, up to rounding.

Legend: N batch, C channels in, K channels out, H W pixels, T fours of rows.
A CPU's library is at its best where there are some ten to some hundred channels on both sides. To
three or six channels it runs at a fifth of its rate, and from 256 to 256 the arithmetic itself can
be less. On other devices, and where it does not pay, these are torch's own (decision 0038).
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ostcli.config import Padding

LEAST_CHANNELS = 128
"""Channels on both sides from which Winograd's form pays in bf16 …"""
LEAST_PLACES = 2048
"""… and places of the result, of all pictures together."""

NUM_POINTS = 6
"""At which Winograd's form takes polynomials: 0, two pairs, infinity."""
POINTS = (math.sqrt(0.5), math.sqrt(2.0))
"""The positive ones of the pairs."""
MIDDLE = 2.5
"""The sum of their squares."""


def _transform_of_kernels() -> Tensor:
    """Return G, with each row times the size of its point. Shape (6, 3)."""
    rows = [[1.0, 0.0, 0.0]]
    for point, other in zip(POINTS, reversed(POINTS), strict=True):
        scale = 2 * point * (point**2 - other**2)
        rows += [[1 / scale, sign * point / scale, point**2 / scale] for sign in (1, -1)]
    return torch.tensor([*rows, [0.0, 0.0, 1.0]], dtype=torch.float64)


_OF_KERNELS = _transform_of_kernels()


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


def _mapped(x: Tensor, of: _Map, transpose: _Map) -> Tensor:
    """Return what a linear map makes of x; the gradient goes through its transpose."""
    mapped: Tensor = _Linear.apply(x, of, transpose)
    return mapped


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
    return _mapped(x, pad, partial(_without_rim, width=width))


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
        summed = _mapped(
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


class WideConv2d(nn.Conv2d):
    """A 3 × 3 convolution between many channels: in bf16 by Winograd's minimal filtering.

    Six rows of values make four of results, by polynomials taken at six points. That leaves six
    convolutions of 1 × 3, one for each point, on every fourth row. The points are 0, ±√½, ±√2 and
    infinity: in bf16 with less error than ±1 and ±2, and in pairs p and 1 / p, which keeps the
    numbers simple. What is done to values, kernels and results are the products with Bᵀ, G and Aᵀ
    of the source; to their gradients, the transposes.

    Args:
        channels: C and K. Nothing is padded.

    Source: Lavin & Gray 2016, F(4, 3), down the columns alone: 6 products for 4 results in place
        of 12.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3)
        self._kept: tuple[tuple[int, int], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, H, W) to (N, C, H - 2, W - 2)."""
        if not self._pays(x):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):  # The kernels are transformed in float32.
            return self._filtered(x.bfloat16())

    def _filtered(self, x: Tensor) -> Tensor:
        """Return the convolution of x, in its precision."""
        values = _mapped(x, _of_values, _to_values)
        kernels = _mapped(self.weight, partial(self._kernels, dtype=x.dtype), _to_kernels)
        products = F.conv2d(values, kernels, groups=NUM_POINTS)
        assert self.bias is not None
        return _mapped(products, _to_results, _of_results) + self.bias.to(x)[:, None, None]

    def _kernels(self, weight: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the transformed kernels, kept from call to call while the weights stay."""
        if weight.is_inference():  # Then torch does not tell when they change.
            return _of_kernels(weight).to(dtype)
        state = weight.data_ptr(), weight._version
        if self._kept is None or self._kept[0] != state or self._kept[1].dtype != dtype:
            # A training may come after use; to leave that mode is to ask for gradients.
            with torch.inference_mode(False), torch.no_grad():
                self._kept = state, _of_kernels(weight).to(dtype)
        return self._kept[1].detach()  # Apart from what was given before, which has its graph.

    def _pays(self, x: Tensor) -> bool:
        num, channels, height, width = x.shape
        return (
            x.device.type == "cpu"
            and torch.is_autocast_enabled("cpu")
            and torch.get_autocast_dtype("cpu") is torch.bfloat16
            and channels >= LEAST_CHANNELS
            and num * (height - 2) * (width - 2) >= LEAST_PLACES
            and height % 4 == 2
        )


def _of_kernels(weight: Tensor) -> Tensor:
    """Shape (K, C, 3, 3) to (6 K, C, 1, 3): G by each kernel."""
    num_out, num_in = weight.shape[:2]
    rows = weight.permute(2, 0, 1, 3).reshape(3, -1)
    return (_OF_KERNELS.to(weight) @ rows).view(NUM_POINTS * num_out, num_in, 1, 3)


def _to_kernels(gradient: Tensor) -> Tensor:
    """Shape (6 K, C, 1, 3) to (K, C, 3, 3), float32 at least: the transpose of `_of_kernels`."""
    num_in = gradient.shape[1]
    at_least = torch.promote_types(gradient.dtype, torch.float32)
    rows = _OF_KERNELS.T.to(at_least) @ gradient.to(at_least).reshape(NUM_POINTS, -1)
    return torch.stack(rows.view(3, -1, num_in, 3).unbind(), dim=2)


def _of_values(x: Tensor) -> Tensor:
    """Shape (N, C, 4 T + 2, W) to (N, 6 C, T, W): Bᵀ by each six rows."""
    rows = _sixes(x)
    num, channels, down, width = rows[0].shape
    values = x.new_empty(num, NUM_POINTS, channels, down, width)
    zero, *others, infinite = values.unbind(1)
    torch.add(rows[0], rows[4], out=zero).sub_(rows[2], alpha=MIDDLE)
    torch.add(rows[1], rows[5], out=infinite).sub_(rows[3], alpha=MIDDLE)
    for point, (at_point, at_opposite) in zip(POINTS, _pairs(others), strict=True):
        even = torch.sub(rows[4], rows[2], alpha=point**-2)
        odd = torch.sub(rows[3], rows[1], alpha=point**-2)
        torch.add(even, odd, alpha=point, out=at_point)
        torch.sub(even, odd, alpha=point, out=at_opposite)
    return values.flatten(1, 2)


def _to_values(gradient: Tensor) -> Tensor:
    """Shape (N, 6 C, T, W) to (N, C, 4 T + 2, W): the transpose of `_of_values`."""
    num, _, down, width = gradient.shape
    zero, *others, infinite = gradient.view(num, NUM_POINTS, -1, down, width).unbind(1)
    x = gradient.new_zeros(num, zero.shape[1], 4 * down + 2, width)
    rows = _sixes(x)
    for end, near, middle, far in ((zero, *rows[0::2]), (infinite, *rows[1::2])):
        near.add_(end)
        middle.sub_(end, alpha=MIDDLE)
        far.add_(end)
    for point, (at_point, at_opposite) in zip(POINTS, _pairs(others), strict=True):
        even, odd = at_point + at_opposite, at_point - at_opposite
        rows[1].sub_(odd, alpha=1 / point)
        rows[2].sub_(even, alpha=point**-2)
        rows[3].add_(odd, alpha=point)
        rows[4].add_(even)
    return x


def _to_results(products: Tensor) -> Tensor:
    """Shape (N, 6 K, T, W) to (N, K, 4 T, W): Aᵀ by the products at each point."""
    num, _, down, width = products.shape
    zero, *others, infinite = products.view(num, NUM_POINTS, -1, down, width).unbind(1)
    results = products.new_empty(num, zero.shape[1], down, 4, width)
    first, second, third, fourth = results.unbind(3)
    (even, more_even), (odd, more_odd) = (
        [combine(*pair) for pair in _pairs(others)] for combine in (torch.add, torch.sub)
    )
    low, high = POINTS
    torch.add(zero, even, alpha=high, out=first).add_(more_even, alpha=low)
    torch.add(odd, more_odd, out=second)
    torch.add(even, more_even, alpha=2, out=third).mul_(low)
    torch.add(infinite, odd, alpha=low**2, out=fourth).add_(more_odd, alpha=high**2)
    return results.flatten(2, 3)


def _of_results(gradient: Tensor) -> Tensor:
    """Shape (N, K, 4 T, W) to (N, 6 K, T, W): the transpose of `_to_results`."""
    num, channels, height, width = gradient.shape
    down = height // 4
    first, second, third, fourth = gradient.reshape(num, channels, down, 4, width).unbind(3)
    products = gradient.new_empty(num, NUM_POINTS, channels, down, width)
    zero, *others, infinite = products.unbind(1)
    zero.copy_(first)
    infinite.copy_(fourth)
    for point, (at_point, at_opposite) in zip(POINTS, _pairs(others), strict=True):
        even = torch.mul(first, 1 / point).add_(third, alpha=point)
        odd = torch.add(second, fourth, alpha=point**2)
        torch.add(even, odd, out=at_point)
        torch.sub(even, odd, out=at_opposite)
    return products.flatten(1, 2)


def _sixes(x: Tensor) -> list[Tensor]:
    """Return the first, the second … of each six rows that make four of results.

    Shape (N, C, 4 T + 2, W) to six of (N, C, T, W).
    """
    return [x[:, :, row : x.shape[2] + row - 5 : 4] for row in range(NUM_POINTS)]


def _pairs(values: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Return what is at a point beside what is at its opposite."""
    return list(zip(values[0::2], values[1::2], strict=True))
