"""Layers in forms that a CPU computes faster: the same results, up to rounding.

Legend: N batch, C channels in, K channels out, H W pixels, T tiles of 2 × 2 results.
A CPU's library is at its best where there are some ten to some hundred channels on both sides. To
three or six channels it runs at a fifth of its rate, and from 256 to 256 the arithmetic itself can
be less. On other devices, and where it does not pay, these are torch's own (decision 0038).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LEAST_CHANNELS = 192
"""Channels on both sides from which Winograd's form pays in bf16 …"""
LEAST_PLACES = 48 * 48
"""… and places of the result, of all pictures together."""

_ALONG = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]])
_OF_KERNELS = torch.kron(_ALONG, _ALONG)
"""Turns the 9 numbers of a kernel into 16: G of the source, along both sides. Shape (16, 9)."""


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


class InstanceNorm2d(nn.InstanceNorm2d):
    """Each channel by its own mean and deviation; in use, of a picture in whatever order it lies.

    torch's own copies what lies pixel by pixel, as a `WideConv2d` leaves it, to channels and back.
    That pays in training, where the gradient by pixels would be slower than the copies.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, H, W) in and out."""
        if len(x) == 1 and x.device.type == "cpu" and not torch.is_grad_enabled():
            return F.batch_norm(x, None, None, training=True, eps=self.eps)
        return super().forward(x)


class WideConv2d(nn.Conv2d):
    """A 3 × 3 convolution between many channels: in bf16 by Winograd's minimal filtering.

    What comes out of that lies pixel by pixel (channels last).

    Args:
        channels: C and K. Nothing is padded.

    Source: Lavin & Gray 2016, F(2 × 2, 3 × 3): 16 products for 4 results in place of 36.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3)
        self._kept: tuple[tuple[int, int], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, H, W) to (N, C, H - 2, W - 2)."""
        if not self._pays(x):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):  # The kernels are transformed in float32.
            filtered: Tensor
            if torch.is_grad_enabled():
                filtered = _Winograd.apply(x.bfloat16(), self.weight)
            else:
                filtered, _ = _filtered(x.bfloat16(), self._kernels())
            assert self.bias is not None
            return filtered + self.bias.bfloat16()[:, None, None]

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
            and height % 2 == width % 2 == 0
        )


class _Winograd(torch.autograd.Function):
    """A 3 × 3 convolution as 16 products of matrices: F(2 × 2, 3 × 3).

    Each tile of 2 × 2 results is made from 4 × 4 values. What is done to values, kernels and
    results are the products with B, G and A of the source, along both sides; for the gradients,
    the same three the other way round. Channels lie last inside, so that tiles are whole rows.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:  # noqa: ANN401 - torch's own
        """Shapes (N, C, H, W) and (K, C, 3, 3) to (N, K, H - 2, W - 2); H and W even."""
        kernels = _of_kernels(weight).to(x.dtype)
        filtered, values = _filtered(x, kernels)
        ctx.tiles = len(x), x.shape[2] // 2 - 1, x.shape[3] // 2 - 1
        ctx.save_for_backward(values, kernels)
        return filtered

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:  # noqa: ANN401
        """Return the gradients of what is asked for."""
        values, kernels = ctx.saved_tensors
        results = _of_results(gradient.permute(0, 2, 3, 1).contiguous())
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = _to_values(results @ kernels.mT, *ctx.tiles).permute(0, 3, 1, 2)
        if ctx.needs_input_grad[1]:
            of_weight = _to_kernels(results.mT @ values)
        return of_x, of_weight


def _filtered(x: Tensor, kernels: Tensor) -> tuple[Tensor, Tensor]:
    """Return what transformed kernels make of x, and its transformed values.

    Shapes (N, C, H, W) and (16, C, K) to (N, K, H - 2, W - 2) and (16, T, C).
    """
    num, _, height, width = x.shape
    values = _of_values(x.permute(0, 2, 3, 1).contiguous())
    results = _to_results(values @ kernels, num, height // 2 - 1, width // 2 - 1)
    return results.permute(0, 3, 1, 2), values


def _of_kernels(weight: Tensor) -> Tensor:
    """Shape (K, C, 3, 3) to (16, C, K): G from both sides of each kernel."""
    num_out, num_in = weight.shape[:2]
    by_place = weight.permute(2, 3, 1, 0).reshape(9, -1)
    return (_OF_KERNELS.to(weight) @ by_place).view(16, num_in, num_out)


def _to_kernels(gradient: Tensor) -> Tensor:
    """Shape (16, K, C) to (K, C, 3, 3), float32 at least: the transpose of `_of_kernels`."""
    _, num_out, num_in = gradient.shape
    at_least = torch.promote_types(gradient.dtype, torch.float32)
    by_place = _OF_KERNELS.T.to(at_least) @ gradient.to(at_least).flatten(1)
    return by_place.T.reshape(num_out, num_in, 3, 3)


def _of_values(x: Tensor) -> Tensor:
    """Shape (N, H, W, C) to (16, T, C): Bᵀ from both sides of each 4 × 4 values."""
    num, height, width, channels = x.shape
    down, along = height // 2 - 1, width // 2 - 1
    tiles = x.new_empty(4, 4, num, down, along, channels)
    even, odd = x.view(num, down + 1, 2, width, channels).unbind(2)
    rows = (
        even[:, :-1] - even[:, 1:],
        odd[:, :-1] + even[:, 1:],
        even[:, 1:] - odd[:, :-1],
        odd[:, :-1] - odd[:, 1:],
    )
    for tile, row in zip(tiles, rows, strict=True):
        even, odd = row.view(num, down, along + 1, 2, channels).unbind(3)
        torch.sub(even[:, :, :-1], even[:, :, 1:], out=tile[0])
        torch.add(odd[:, :, :-1], even[:, :, 1:], out=tile[1])
        torch.sub(even[:, :, 1:], odd[:, :, :-1], out=tile[2])
        torch.sub(odd[:, :, :-1], odd[:, :, 1:], out=tile[3])
    return tiles.view(16, -1, channels)


def _to_values(tiles: Tensor, num: int, down: int, along: int) -> Tensor:
    """Shape (16, T, C) to (N, H, W, C): the transpose of `_of_values`."""
    tiles = tiles.view(4, 4, num, down, along, -1)
    rows = _overlapped(tiles.transpose(0, 1), dim=3)  # (4, N, down, along + 1, 2, C)
    return _overlapped(rows.flatten(3, 4), dim=1).flatten(1, 2)


def _overlapped(pieces: Tensor, dim: int) -> Tensor:
    """Add the four pieces of each tile to the values that they were made from, along one side.

    Args:
        pieces: Shape (4, …), with the tiles of that side at `dim` behind the pieces.

    Returns:
        Shape (…, tiles + 1, 2, …) at `dim`: even and odd values.
    """
    first, second, third, fourth = pieces
    shape = list(first.shape)
    tiles, shape[dim] = shape[dim], shape[dim] + 1
    values: Tensor = first.new_empty([*shape[: dim + 1], 2, *shape[dim + 1 :]])
    even, odd = values.unbind(dim + 1)
    for side in (even, odd):
        side.narrow(dim, tiles, 1).zero_()
    even.narrow(dim, 0, tiles).copy_(first)
    even.narrow(dim, 1, tiles).add_((second + third).sub_(first))
    odd_here = odd.narrow(dim, 0, tiles)
    torch.sub(second, third, out=odd_here)
    odd_here.add_(fourth)
    odd.narrow(dim, 1, tiles).sub_(fourth)
    return values


def _to_results(products: Tensor, num: int, down: int, along: int) -> Tensor:
    """Shape (16, T, K) to (N, H - 2, W - 2, K): Aᵀ from both sides of each tile."""
    products = products.view(4, 4, num, down, along, -1)
    results = products.new_empty(num, down, 2, along, 2, products.shape[-1])
    rows = products[0] + products[1] + products[2], products[1] - products[2] - products[3]
    for result, row in zip(results.unbind(2), rows, strict=True):
        torch.add(row[0] + row[1], row[2], out=result[:, :, :, 0])
        torch.sub(row[1] - row[2], row[3], out=result[:, :, :, 1])
    return results.flatten(3, 4).flatten(1, 2)


def _of_results(gradient: Tensor) -> Tensor:
    """Shape (N, H - 2, W - 2, K) to (16, T, K): the transpose of `_to_results`."""
    num, height, width, channels = gradient.shape
    down, along = height // 2, width // 2
    tiles = gradient.new_empty(4, 4, num, down, along, channels)
    even, odd = gradient.view(num, down, 2, width, channels).unbind(2)
    for tile, row in zip(tiles, (even, even + odd, even - odd, -odd), strict=True):
        left, right = row.reshape(num, down, along, 2, channels).unbind(3)
        tile[0] = left
        torch.add(left, right, out=tile[1])
        torch.sub(left, right, out=tile[2])
        torch.neg(right, out=tile[3])
    return tiles.view(16, -1, channels)
