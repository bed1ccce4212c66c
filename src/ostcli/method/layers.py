"""Layers in forms that a CPU computes faster: the same results, up to rounding.

Legend: N batch, C channels in, K channels out, H W pixels, T tiles of 2 × 2 results.
A CPU's library is at its best where there are some ten to some hundred channels on both sides. To
three or six channels it runs at a fifth of its rate, and from 256 to 256 the arithmetic itself can
be less. On other devices, and where it does not pay, these are torch's own (decision 0038).
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

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


class MirrorPad2d(nn.ReflectionPad2d):
    """The picture continued by its mirror image: torch's own, with a gradient of whole rows.

    Args:
        width: of the rim, in pixels.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, H, W) to (N, C, H + 2 width, W + 2 width)."""
        if x.device.type != "cpu":
            return super().forward(x)
        padded: Tensor = _Mirrored.apply(x, self.padding[0])
        return padded


class _Mirrored(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, width: int) -> Tensor:  # noqa: ANN401 - torch's own
        ctx.width = width
        with torch.autocast("cpu", enabled=False):  # Which would make it float32, for nothing.
            return F.pad(x, (width, width, width, width), mode="reflect")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        """Add what the rim got to the pixels that it mirrors."""
        width = ctx.width
        for side in (2, 3):
            length = gradient.shape[side] - 2 * width
            inner = gradient.narrow(side, width, length).clone()
            before, behind = (gradient.narrow(side, at, width) for at in (0, length + width))
            inner.narrow(side, 1, width).add_(before.flip(side))
            inner.narrow(side, length - 1 - width, width).add_(behind.flip(side))
            gradient = inner
        return gradient, None


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
        padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
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
        summed: Tensor = _Summed.apply(by_column, self.kernel_size[1])
        assert self.bias is not None
        return summed + self.bias[:, None, None]


class _Summed(torch.autograd.Function):
    """Add, for each channel, what each column of its kernel gave, at the column's own distance.

    Written out because torch's own gradient of a slice is a picture of zeros around it, for each.
    """

    @staticmethod
    def forward(ctx: Any, by_column: Tensor, side: int) -> Tensor:  # noqa: ANN401 - torch's own
        """Shape (N, K · side, H, W + side - 1) to (N, K, H, W), float32 at least."""
        ctx.side, ctx.dtype = side, by_column.dtype
        width = by_column.shape[-1] - side + 1
        num, channels, height, _ = by_column.shape
        columns = by_column.view(num, channels // side, side, height, -1).unbind(2)
        summed = columns[0][..., :width].to(
            torch.promote_types(ctx.dtype, torch.float32), copy=True
        )
        for column in range(1, side):
            summed += columns[column][..., column : column + width]
        return summed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        """Undo the shapes of `forward`."""
        num, channels, height, width = gradient.shape
        shape = num, channels, ctx.side, height, width + ctx.side - 1
        by_column = gradient.new_zeros(shape, dtype=ctx.dtype)
        for column in range(ctx.side):
            by_column[:, :, column, :, column : column + width] = gradient
        return by_column.flatten(1, 2), None


class WideConv2d(nn.Conv2d):
    """A 3 × 3 convolution between many channels: in bf16 by Winograd's minimal filtering.

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
            filtered: Tensor = _Winograd.apply(x.bfloat16(), self.weight, self._kernels())
            assert self.bias is not None
            return filtered + self.bias.bfloat16()[:, None, None]

    @torch.no_grad()
    def _kernels(self) -> Tensor:
        """Return the transformed kernels, kept from call to call while the weights stay."""
        if self.weight.is_inference():  # Then torch does not tell when they change.
            return _of_kernels(self.weight).bfloat16()
        state = self.weight.data_ptr(), self.weight._version
        if self._kept is None or self._kept[0] != state:
            self._kept = state, _of_kernels(self.weight).bfloat16()
        return self._kept[1]

    def _pays(self, x: Tensor) -> bool:
        num, channels, height, width = x.shape
        return (
            x.device.type == "cpu"
            and torch.is_autocast_enabled("cpu")
            and channels >= LEAST_CHANNELS
            and num * (height - 2) * (width - 2) >= LEAST_PLACES
            and height % 4 == 2
        )


class _Winograd(torch.autograd.Function):
    """A 3 × 3 convolution as six of 1 × 3, one for each point at which polynomials are taken.

    Six rows of values make four of results. The points are 0, ±√½, ±√2 and infinity: in bf16 with
    less error than ±1 and ±2, and the finite ones but 0 are in pairs p and 1 / p, which keeps the
    numbers simple. What is done to values, kernels and results are the products with Bᵀ, G and Aᵀ
    of the source; for the gradients, the same three the other way round.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, _weight: Tensor, kernels: Tensor) -> Tensor:  # noqa: ANN401
        """Shapes (N, C, 4 T + 2, W), (K, C, 3, 3) and (6 K, C, 1, 3) to (N, K, 4 T, W - 2).

        The kernels are the weight's, transformed; their gradient goes to the weight.
        """
        values = _of_values(x)
        ctx.save_for_backward(values, kernels)
        return _to_results(F.conv2d(values, kernels, groups=NUM_POINTS))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # noqa: ANN401
        """Return the gradients of what is asked for."""
        values, kernels = ctx.saved_tensors
        asked = [*ctx.needs_input_grad[:2], False]
        of_values, of_kernels, _ = torch.ops.aten.convolution_backward(
            *(_of_results(gradient), values, kernels, None),
            *([1, 1], [0, 0], [1, 1], False, [0, 0], NUM_POINTS, asked),
        )
        of_x = _to_values(of_values) if asked[0] else None
        of_weight = _to_kernels(of_kernels) if asked[1] else None
        return of_x, of_weight, None


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
    results = products.new_zeros(num, zero.shape[1], down, 4, width)
    first, second, third, fourth = results.unbind(3)
    first.copy_(zero)
    fourth.copy_(infinite)
    for point, (at_point, at_opposite) in zip(POINTS, _pairs(others), strict=True):
        even, odd = at_point + at_opposite, at_point - at_opposite
        first.add_(even, alpha=1 / point)
        second.add_(odd)
        third.add_(even, alpha=point)
        fourth.add_(odd, alpha=point**2)
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
