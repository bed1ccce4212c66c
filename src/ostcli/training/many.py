"""Layers as `torch.func.vmap` is to take them over many runs.

Its own rules make of convolutions whose weights differ between runs one of K groups, for which a
CPU has no fast kernel, and give a norm's scale and offset passes of their own. Here the former are
products of matrices, and a norm of all runs is one call. Where a convolution's weights are the same
for every run, `vmap`'s own rule serves: the runs are one batch. But few channels, as pictures have,
are not what a CPU's kernels are made for; there, too, a product is faster.

Legend: K runs, N pictures of each, C and O channels before and after, h w places, k side of a
kernel.
"""

import copy
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEW_CHANNELS = 3
"""As many as a picture has, at most."""

N = TypeVar("N", bound=nn.Module)


def for_many(networks: N, own: AbstractSet[str]) -> N:
    """Return a copy of networks whose plain convolutions and norms `vmap` takes fast.

    Weights keep their names. Layers of another kind stay as they are.

    Args:
        networks: of one run.
        own: the names of the weights that each run is to have for itself.
    """
    networks = copy.deepcopy(networks)
    for name, layer in list(networks.named_modules()):
        operation = _operation_of(layer)
        if operation is not None:
            weights = {f"{name}.{weight}" for weight, _ in layer.named_parameters()}
            needs_rule = operation.needs_rule or not own.isdisjoint(weights)
            place, _, leaf = name.rpartition(".")
            apply = partial(_Ruled.apply, operation) if needs_rule else operation.alone
            setattr(networks.get_submodule(place), leaf, _Layer(layer, apply))
    return networks


class _Operation(Protocol):
    """What a layer does, for one run and for many; its weights are those of the layer, in order."""

    @property
    def needs_rule(self) -> bool:
        """Whether runs are to go by `together` even where all have the same weights."""

    @property
    def alone(self) -> Callable[..., Tensor]:
        """Do it for one run; `vmap` may take it by its own rule."""

    @property
    def together(self) -> Callable[..., Tensor]:
        """Do it for all runs.

        Args:
            x: Shape (K, N, C, h, w).
            weights: with a first axis of runs.

        Returns:
            Shape (K, N, O, h', w').
        """


class _Layer(nn.Module):
    """A layer's weights, and what is done with them; convolutions in their weights' precision.

    Args:
        layer: whose weights it takes.
        apply: does it, to x and the weights.
    """

    def __init__(self, layer: nn.Module, apply: Callable[..., Tensor]) -> None:
        super().__init__()
        for name, weight in layer.named_parameters():
            self.register_parameter(name, weight)
        self._apply_to = apply

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, h, w) to (N, O, h', w')."""
        return self._apply_to(x, *self.parameters())


class _Ruled(torch.autograd.Function):
    """An operation with a rule of its own under `vmap`."""

    @staticmethod
    def forward(operation: _Operation, x: Tensor, *weights: Tensor) -> Tensor:
        """Do it alone."""
        return operation.alone(x, *weights)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ANN401, ARG004 - torch's
        """Keep what the gradient is to be of."""
        ctx.operation, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch's
        """Do it again, and return its gradients: cheap, as a single run's share is."""
        with torch.enable_grad():
            tensors = [tensor.detach().requires_grad_() for tensor in ctx.saved_tensors]
            made = ctx.operation.alone(*tensors)
        return None, *torch.autograd.grad(made, tensors, gradient)

    @staticmethod
    def vmap(
        info: Any,  # noqa: ANN401 - torch's
        in_dims: tuple[int | None, ...],
        operation: _Operation,
        *tensors: Tensor,
    ) -> tuple[Tensor, int]:
        """Do it together; the runs are the first axis of the result."""
        x, *weights = (
            tensor.expand(info.batch_size, *tensor.shape)
            if axis is None
            else tensor.movedim(axis, 0)
            for tensor, axis in zip(tensors, in_dims[1:], strict=True)
        )
        return operation.together(x, *weights), 0


@dataclass(frozen=True)
class _Convolution:
    """A convolution, or a transposed one."""

    is_transposed: bool
    stride: int
    padding: int
    needs_rule: bool

    def alone(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        convolve = F.conv_transpose2d if self.is_transposed else F.conv2d
        bias = bias if bias is None else bias.to(weight.dtype)
        return convolve(x.to(weight.dtype), weight, bias, stride=self.stride, padding=self.padding)

    def together(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        product = self._transposed_product if self.is_transposed else self._product
        made = product(x, weight)
        return made if bias is None else made + bias[:, None, :, None, None]

    def _product(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve by weights of shape (K, O, C, k, k)."""
        num_runs, num, _, height, width = x.shape
        side = weight.shape[-1]
        # In float32: its gradient, like `fold` below, is several times as slow in bf16.
        x = x.flatten(0, 1).float()
        patches = F.unfold(x, side, padding=self.padding, stride=self.stride).to(weight.dtype)
        made = weight.flatten(2) @ _in_a_row(patches, num_runs)  # (K, O, N h' w')
        height, width = (
            (length + 2 * self.padding - side) // self.stride + 1 for length in (height, width)
        )
        return made.view(num_runs, -1, num, height, width).transpose(1, 2)

    def _transposed_product(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve, transposed, by weights of shape (K, C, O, k, k)."""
        num_runs, num, _, height, width = x.shape
        side = weight.shape[-1]
        places = _in_a_row(x.flatten(0, 1).flatten(2).to(weight.dtype), num_runs)
        patches = weight.flatten(2).transpose(1, 2) @ places  # (K, O k k, N h w)
        apart = patches.view(num_runs, -1, num, height * width).transpose(1, 2).flatten(0, 1)
        size = tuple(
            (length - 1) * self.stride - 2 * self.padding + side for length in (height, width)
        )
        made = F.fold(apart.float(), size, side, padding=self.padding, stride=self.stride)
        return made.view(num_runs, num, *made.shape[1:])


@dataclass(frozen=True)
class _Norm:
    """Batch norm by the batch's own statistics, with scale and offset."""

    eps: float
    needs_rule: bool = True

    def alone(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.batch_norm(x, None, None, weight, bias, training=True, eps=self.eps)

    def together(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        beside = x.transpose(0, 1).flatten(1, 2)  # (N, K C, h, w)
        made = self.alone(beside, weight.flatten(), bias.flatten())
        return made.view(x.shape[1], len(x), *x.shape[2:]).transpose(0, 1)


def _operation_of(layer: nn.Module) -> _Operation | None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and _is_plain(layer):
        is_transposed = isinstance(layer, nn.ConvTranspose2d)
        of_picture = layer.out_channels if is_transposed else layer.in_channels
        return _Convolution(
            is_transposed,
            stride=layer.stride[0],
            padding=int(layer.padding[0]),
            needs_rule=of_picture <= FEW_CHANNELS,
        )
    if isinstance(layer, nn.BatchNorm2d) and layer.affine and not layer.track_running_stats:
        return _Norm(layer.eps)
    return None


def _is_plain(layer: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    return (
        layer.groups == 1
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and len({*layer.kernel_size}) == len({*layer.stride}) == len({*layer.padding}) == 1
        and {*layer.dilation} == {1}
        and {*layer.output_padding} == {0}
    )


def _in_a_row(columns: Tensor, num_runs: int) -> Tensor:
    """Put the places of a run's pictures in a row: (K N, C, P) to (K, C, N P)."""
    return columns.view(num_runs, -1, *columns.shape[1:]).transpose(1, 2).flatten(2)
