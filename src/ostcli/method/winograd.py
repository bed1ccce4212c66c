"""Convolutions between many channels, by Winograd's minimal filtering (decision 0038).

Legend: N batch, C channels in, K channels out, H W pixels, T fours of rows.
What is done to values, kernels and results are the products with Bᵀ, G and Aᵀ of the source, here
`_of_values`, `_of_kernels` and `_to_results`; to their gradients, the transposes `_to_values`,
`_to_kernels` and `_of_results`.

Source: Lavin & Gray 2016, F(4, 3), down the columns alone: 6 products for 4 results in place of 12.
"""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ostcli.method.layers import mapped

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


class WideConv2d(nn.Conv2d):
    """A 3 × 3 convolution between many channels: in bf16 by Winograd's minimal filtering.

    Six rows of values make four of results, by polynomials taken at six points. That leaves six
    convolutions of 1 × 3, one for each point, on every fourth row. The points are 0, ±√½, ±√2 and
    infinity: in bf16 with less error than ±1 and ±2, and in pairs p and 1 / p, which keeps the
    numbers simple. On other devices, in other precisions, and where it does not pay, this is
    torch's own.

    Args:
        channels: C and K. Nothing is padded.
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
        values = mapped(x, _of_values, _to_values)
        kernels = mapped(self.weight, partial(self._kernels, dtype=x.dtype), _to_kernels)
        products: Tensor = _Products.apply(values, kernels)
        assert self.bias is not None
        return mapped(products, _to_results, _of_results) + self.bias.to(x)[:, None, None]

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


class _Products(torch.autograd.Function):
    """The convolutions at the points; the gradient of the kernels by products of matrices.

    The library's own gradient of kernels runs at four fifths of its rate.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, kernels: Tensor) -> Tensor:  # noqa: ANN401 - torch's own
        """Shapes (N, 6 C, T, W) and (6 K, C, 1, 3) to (N, 6 K, T, W - 2)."""
        ctx.save_for_backward(values, kernels)
        return F.conv2d(values, kernels, groups=NUM_POINTS)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:  # noqa: ANN401
        values, kernels = ctx.saved_tensors
        of_values, of_kernels = ctx.needs_input_grad
        return (
            _gradient_of_values(values, kernels, gradient) if of_values else None,
            _gradient_of_kernels(values, kernels, gradient) if of_kernels else None,
        )


def _gradient_of_values(values: Tensor, kernels: Tensor, gradient: Tensor) -> Tensor:
    """Return it as torch's own convolution does."""
    one, none = [1, 1], [0, 0]
    of_values: Tensor
    of_values, _, _ = torch.ops.aten.convolution_backward(
        *(gradient, values, kernels, None, one, none, one, False, none, NUM_POINTS),
        output_mask=[True, False, False],
    )
    return of_values


def _gradient_of_kernels(values: Tensor, kernels: Tensor, gradient: Tensor) -> Tensor:
    """Return it column by column: a product of matrices for each picture and each point."""
    num, _, down, width = gradient.shape
    gradients = gradient.reshape(num * NUM_POINTS, -1, down * width)
    by_point = values.view(num * NUM_POINTS, -1, down, width + 2)
    columns = [
        gradients @ by_point[..., column : column + width].flatten(2).mT for column in range(3)
    ]
    of_kernels = torch.stack(columns, dim=-1)
    if num > 1:
        of_kernels = of_kernels.view(num, -1).sum(0)
    return of_kernels.view(kernels.shape)


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
