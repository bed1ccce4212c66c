"""One path through the networks, a band of rows at a time: large pictures in bounded memory.

A convolution sees a few rows beyond a band. So every band is computed with such rows around it, and
they are cut away: the edge of a band comes out as the inside of the picture, its border as ever.
A norm's statistics are of the whole picture. So the layers before it go over all bands once to
measure them; from then on it is a factor and an offset for each plane, which need no other place.
What the residual blocks work on is kept, the finer planes around it are computed whenever they are
asked for. The layers are those of `Path` themselves; the result differs from the path's own by
rounding (decision 0034).

Legend: C channels, H W rows and columns of some planes, which are a picture or a layer's features;
planes are (1, C, H, W).
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ostcli.method.detail import fine_detail
from ostcli.method.networks import Path, ResidualBlock, as_pictures
from ostcli.method.strokes import RADIUS, without_strokes

KEPT_TYPE = torch.float16
"""Of kept planes. Its ten bits after the point, of a value's distance from its plane's mean, are
some fortieth of a step of an 8-bit picture after all blocks (decision 0034)."""


class Planes(Protocol):
    """Planes of which any rows can be asked for."""

    @property
    def size(self) -> tuple[int, int]:
        """H and W."""

    @property
    def fineness(self) -> int:
        """Rows, at most, that some layer holds at once to give one."""

    @property
    def reach(self) -> int:
        """Rows, at most, above and below those asked for, that are asked of the source."""

    def rows(self, top: int, bottom: int) -> Tensor:
        """Return the rows from `top` to before `bottom`. Shape (1, C, bottom - top, W)."""


@dataclass(frozen=True)
class Source:
    """A picture that is read by rows."""

    size: tuple[int, int]
    read: Callable[[int, int], Tensor]
    fineness: int = 1
    reach: int = 0

    def rows(self, top: int, bottom: int) -> Tensor:
        """See `Planes`."""
        return self.read(top, bottom)


def translate_in_bands(path: Path, picture: Source, *, rows: int, memory: int) -> Iterator[Tensor]:
    """Send a picture along a path in bands, and yield the result from the top.

    Args:
        path: T_AB or another.
        picture: range [-1, 1]; H and W are multiples of what the networks divide by.
        rows: of a band, where features are as fine as the picture.
        memory: bytes for planes that are kept instead of being computed again. What the residual
            blocks work on is kept whatever it takes: H W / 16 · 128 · 2 bytes in `fast`.

    Yields:
        Bands of the result, one below the other. Shape (1, 3, at most `rows`, W), float32, on the
        device that the picture's rows come on.
    """
    walk = _Walk(rows, memory)
    seen: Planes = picture
    if path.stroke_filter:
        strokeless = partial(without_strokes, strength=path.stroke_filter)
        seen = _Computed(picture, [_Local(strokeless, reach=2 * RADIUS)])
    planes = walk.through(path.layers, seen)
    detail = None
    if path.detail_radius:
        past = partial(fine_detail, radius=path.detail_radius)
        detail = _Computed(seen, [_Local(past, reach=2 * path.detail_radius)])
    for top, bottom in walk.spans(planes):
        yield as_pictures(
            planes.rows(top, bottom), None if detail is None else detail.rows(top, bottom)
        )


@dataclass(frozen=True)
class _Local:
    """A function of planes that leaves their size as it is and sees some rows around each."""

    function: Callable[[Tensor], Tensor]
    reach: int = 0

    def __call__(self, planes: Tensor) -> Tensor:
        return self.function(planes)


_Layer = nn.Module | _Local


class _Computed:
    """Planes that local layers make of others, computed whenever they are asked for."""

    def __init__(self, source: Planes, layers: Sequence[_Layer]) -> None:
        self._source, self._layers = source, layers
        scale = finest = coarsest = Fraction(1)
        reach = Fraction(0)
        for layer in layers:
            beyond, stride = _geometry(layer)
            reach += beyond * scale
            scale *= stride
            finest, coarsest = min(finest, scale), max(coarsest, scale)
        self._scale = scale
        """Rows of the source per row."""
        self._step = int(coarsest)
        """Bands of the source start at its multiples, so that strides fall on the same rows."""
        self.reach = math.ceil(reach / self._step) * self._step
        self.fineness = math.ceil(max(scale * source.fineness, scale / finest))
        height, width = source.size
        self.size = int(height / scale), int(width / scale)

    def rows(self, top: int, bottom: int) -> Tensor:
        """See `Planes`."""
        first = math.floor(top * self._scale / self._step) * self._step - self.reach
        last = math.ceil(bottom * self._scale / self._step) * self._step + self.reach
        first, last = max(first, 0), min(last, self._source.size[0])
        planes = self._source.rows(first, last)
        for layer in self._layers:
            planes = layer(planes)
        start = int(first / self._scale)
        return planes[:, :, top - start : bottom - start]


def _geometry(layer: _Layer) -> tuple[int, Fraction]:
    """Return how many rows a layer sees beyond each, and how many it takes to give one."""
    match layer:
        case _Local():
            return layer.reach, Fraction(1)
        case nn.Conv2d():
            return layer.kernel_size[0] // 2, Fraction(layer.stride[0])
        case nn.ConvTranspose2d():
            return layer.kernel_size[0] // 2, Fraction(1, layer.stride[0])
        case nn.Upsample():
            assert isinstance(layer.scale_factor, float), "one factor for height and width"
            return 0, 1 / Fraction(layer.scale_factor)
        case nn.ReflectionPad2d() | nn.ReLU() | nn.Identity():
            return 0, Fraction(1)  # Padding is of a convolution, which counts the rows it sees.
    raise TypeError(f"it is not known which rows {type(layer).__name__} sees")


@dataclass(frozen=True)
class _Sum:
    """The sum of planes and of what is computed from them."""

    kept: "_Kept"
    change: Planes

    @property
    def size(self) -> tuple[int, int]:
        return self.kept.size

    @property
    def fineness(self) -> int:
        return self.change.fineness

    @property
    def reach(self) -> int:
        return self.change.reach

    def rows(self, top: int, bottom: int) -> Tensor:
        return self.kept.rows(top, bottom) + self.change.rows(top, bottom)


class _Kept:
    """Planes in the computer's own memory, each as its distance from the mean of its first band.

    A plane may be nearly flat and far from 0, and a norm after it will enlarge what is left:
    rounded as it is, it would lose that.
    """

    fineness = 1
    reach = 0
    size = (0, 0)

    def __init__(self) -> None:
        self._values = torch.empty(0)
        self._centre = torch.empty(0)

    def rows(self, top: int, bottom: int) -> Tensor:
        """See `Planes`."""
        return self._values[:, :, top:bottom].to(self._centre).add_(self._centre)

    def fill(self, planes: Planes, bands: Iterator[tuple[int, Tensor]]) -> None:
        """Keep planes, in place of those that are kept here and that they may be computed from.

        Args:
            planes: what to keep.
            bands: of them, all, from the top, with the row that each starts at.
        """
        values, centre = torch.empty(0), torch.empty(0)
        waiting: deque[tuple[int, Tensor]] = deque()  # A next band may still see what was there.
        for top, band in bands:
            if not top:
                centre = band.float().mean((2, 3), keepdim=True)
                shape = (*band.shape[:2], *planes.size)
                values = self._values if self._values.shape == shape else _empty(shape)
            waiting.append((top, (band - centre).to("cpu", KEPT_TYPE)))
            unseen = top + band.shape[2] - planes.reach
            while waiting and waiting[0][0] + waiting[0][1].shape[2] <= unseen:
                _write(values, *waiting.popleft())
        for top, band in waiting:
            _write(values, top, band)
        self._values, self._centre, self.size = values, centre, planes.size


def _empty(shape: tuple[int, ...]) -> Tensor:
    return torch.empty(shape, dtype=KEPT_TYPE)


def _write(values: Tensor, top: int, band: Tensor) -> None:
    values[:, :, top : top + band.shape[2]] = band


class _Statistics:
    """Mean and variance of each plane over all bands. float64.

    Source: Chan, Golub & LeVeque 1983.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._squares = torch.zeros((), dtype=torch.float64)
        self._device = self._mean.device

    def of(self, bands: Iterator[tuple[int, Tensor]]) -> Iterator[tuple[int, Tensor]]:
        """Pass bands on, measured."""
        for top, band in bands:
            self._add(band)
            yield top, band

    def _add(self, band: Tensor) -> None:
        count = band.shape[2] * band.shape[3]
        variance, mean = torch.var_mean(band.float(), (0, 2, 3), correction=0)
        variance, mean, self._device = variance.cpu().double(), mean.cpu().double(), band.device
        total = self._count + count
        step = mean - self._mean
        self._mean = self._mean + step * (count / total)
        self._squares = (
            self._squares + variance * count + step.square() * (self._count * count / total)
        )
        self._count = total

    def norm(self, layer: nn.InstanceNorm2d | nn.GroupNorm) -> _Local:
        """Return a norm with these statistics in place of those of the planes it is given."""
        mean, variance = self._mean, self._squares / self._count
        if isinstance(layer, nn.GroupNorm):
            assert layer.num_groups == 1, "one group of all planes is all that is built"
            variance = (variance + (mean - mean.mean()).square()).mean().expand_as(mean)
            mean = mean.mean().expand_as(mean)
        mean, variance = (each.to(self._device, torch.float32) for each in (mean, variance))
        return _Local(
            partial(
                F.batch_norm,
                running_mean=mean,
                running_var=variance,
                weight=layer.weight,
                bias=layer.bias,
                eps=layer.eps,
            )
        )


class _Walk:
    """Goes through layers in bands; see `translate_in_bands` for the arguments."""

    def __init__(self, rows: int, memory: int) -> None:
        self._rows = rows
        self._memory = memory

    def spans(self, planes: Planes) -> Iterator[tuple[int, int]]:
        """Return the first row of each band, and the one after its last."""
        height, rows = planes.size[0], max(1, self._rows // planes.fineness)
        return ((top, min(top + rows, height)) for top in range(0, height, rows))

    def through(self, layers: Iterable[nn.Module], source: Planes) -> Planes:
        """Return what the layers make of the source, with all its norms measured."""
        planes, ahead = source, list[_Layer]()
        for layer in layers:
            # What was kept on the way serves no one else, and can be written over.
            own = planes if isinstance(planes, _Kept) and planes is not source else None
            if isinstance(layer, ResidualBlock):
                planes, ahead = self._block(layer, _Computed(planes, ahead), own), []
            elif isinstance(layer, nn.InstanceNorm2d | nn.GroupNorm):
                planes, ahead = self._norm(layer, planes, ahead, own)
            else:
                ahead.append(layer)
        return _Computed(planes, ahead)

    def _bands(self, planes: Planes) -> Iterator[tuple[int, Tensor]]:
        return ((top, planes.rows(top, bottom)) for top, bottom in self.spans(planes))

    def _block(self, block: ResidualBlock, planes: Planes, own: _Kept | None) -> _Kept:
        kept = own or _Kept()
        kept.fill(planes, self._bands(planes))
        total = _Sum(kept, self.through(block.body, kept))
        kept.fill(total, self._bands(total))
        return kept

    def _norm(
        self,
        layer: nn.InstanceNorm2d | nn.GroupNorm,
        source: Planes,
        ahead: Sequence[_Layer],
        own: _Kept | None,
    ) -> tuple[Planes, list[_Layer]]:
        """Measure a norm; return the planes to go on from, and the layers that are ahead of them.

        What is measured is kept where there is memory for two of its size, else computed again.
        """
        planes, statistics = _Computed(source, ahead), _Statistics()
        bands = statistics.of(self._bands(planes))
        channels = layer.num_channels if isinstance(layer, nn.GroupNorm) else layer.num_features
        if 2 * channels * math.prod(planes.size) * KEPT_TYPE.itemsize <= self._memory:
            kept = own or _Kept()
            kept.fill(planes, bands)
            return kept, [statistics.norm(layer)]
        for _ in bands:
            pass
        return source, [*ahead, statistics.norm(layer)]
