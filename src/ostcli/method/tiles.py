"""One path through the networks tile by tile: large pictures in bounded memory.

A convolution sees a little beyond a tile. So each tile is computed with what lies around it, and
that is cut away: the edge of a tile comes out as the inside of the picture, the picture's own
border as ever. A norm's statistics are of the whole picture. So the layers before it go over all
tiles once to measure them; from then on it is a factor and an offset for each plane, which see no
other place. What the residual blocks work on is kept; finer planes are computed whenever they are
asked for. The layers are the path's own, and the result differs by rounding (decision 0034).

Legend: C channels, H W height and width of planes, which are a picture or a layer's features; a
tile of them is (1, C, h, w).
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

from ostcli.method.architecture import ResidualBlock
from ostcli.method.detail import fine_detail
from ostcli.method.layers import DoublingConv2d
from ostcli.method.networks import NetworkPath, as_pictures
from ostcli.method.strokes import RADIUS, without_strokes

Area = tuple[slice, slice]
"""Rows and columns, each from a start to before a stop."""

KEPT_TYPE = torch.float16
"""Of planes that are kept; what that costs: decision 0034."""


class Planes(Protocol):
    """Planes of which any tile can be asked for."""

    @property
    def size(self) -> tuple[int, int]:
        """H and W."""

    @property
    def reach(self) -> int:
        """How far around a tile its source is asked for, in the source's pixels."""

    def at(self, area: Area) -> Tensor:
        """Return a tile."""


@dataclass(frozen=True)
class Source:
    """A picture that is read by tiles.

    Args:
        size: H and W.
        read: returns a tile. Shape (1, 3, h, w), range [-1, 1], on the device to compute on.
    """

    size: tuple[int, int]
    read: Callable[[Area], Tensor]
    reach: int = 0

    def at(self, area: Area) -> Tensor:
        """See `Planes`."""
        return self.read(area)


def translate_in_tiles(
    path: NetworkPath, picture: Source, *, side: int, memory: int
) -> Iterator[tuple[Area, Tensor]]:
    """Send a picture along a path in tiles, and yield those of the result.

    Args:
        path: T_AB or another.
        picture: H and W are multiples of what the networks divide evenly.
        side: height and width of a tile, in the picture's pixels.
        memory: bytes for planes that are kept instead of being computed again. What the residual
            blocks work on is kept whatever it takes.

    Yields:
        Each tile's area and its pictures, row by row of tiles. Shape (1, 3, h, w), float32.
    """
    walk = _Walk(picture.size[0], side, memory)
    seen: Planes = picture
    if path.stroke_filter:
        strokeless = partial(without_strokes, strength=path.stroke_filter)
        seen = _Computed(picture, [_Local(strokeless, reach=2 * RADIUS)])
    planes = walk.through(path.layers, seen)
    detail: Planes | None = None
    if path.detail_radius:
        fine = partial(fine_detail, radius=path.detail_radius)
        detail = _Computed(seen, [_Local(fine, reach=2 * path.detail_radius)])
    for area, tile in walk.tiles(planes):
        yield area, as_pictures(tile, None if detail is None else detail.at(area))


@dataclass(frozen=True)
class _Local:
    """A function of planes that keeps their size and sees no further than its reach."""

    function: Callable[[Tensor], Tensor]
    reach: int = 0

    def __call__(self, planes: Tensor) -> Tensor:
        return self.function(planes)


_Layer = nn.Module | _Local


class _Computed:
    """Planes that local layers make of others, computed whenever they are asked for."""

    def __init__(self, source: Planes, layers: Sequence[_Layer]) -> None:
        self._source, self._layers = source, tuple(layers)
        scale, coarsest, reach = Fraction(1), Fraction(1), Fraction(0)
        for layer in layers:
            beyond, stride = _geometry(layer)
            reach += beyond * scale
            scale *= stride
            coarsest = max(coarsest, scale)
        self._scale = scale
        """Pixels of the source to one of these, along a side."""
        self._step = int(coarsest)
        """Tiles of the source start at its multiples, so that strides fall where they always do."""
        reach += coarsest - max(
            scale, Fraction(1)
        )  # A finer pixel may lie at the far end of a coarser one.
        self.reach = math.ceil(reach / self._step) * self._step
        height, width = source.size
        self.size = int(height / scale), int(width / scale)

    def at(self, area: Area) -> Tensor:
        """See `Planes`."""
        rows, columns = (
            self._seen(span, length) for span, length in zip(area, self._source.size, strict=True)
        )
        planes = self._source.at((rows, columns))
        for layer in self._layers:
            planes = layer(planes)
        top, left = int(rows.start / self._scale), int(columns.start / self._scale)
        return planes[
            :,
            :,
            area[0].start - top : area[0].stop - top,
            area[1].start - left : area[1].stop - left,
        ]

    def _seen(self, span: slice, length: int) -> slice:
        """Return what of the source is needed, out of a length, for rows or columns of these."""
        start, stop = (side * self._scale / self._step for side in (span.start, span.stop))
        return slice(
            max(0, math.floor(start) * self._step - self.reach),
            min(length, math.ceil(stop) * self._step + self.reach),
        )


def _geometry(layer: _Layer) -> tuple[int, Fraction]:
    """Return how far a layer sees around a pixel, and how many it takes along a side to give one.

    Both in pixels of what it is given.
    """
    match layer:
        case _Local():
            return layer.reach, Fraction(1)
        case DoublingConv2d():
            return 1, Fraction(1, 2)
        case nn.Conv2d():
            return layer.kernel_size[0] // 2, Fraction(layer.stride[0])
        case nn.ConvTranspose2d():
            return layer.kernel_size[0] // 2, Fraction(1, layer.stride[0])
        case nn.ReflectionPad2d() | nn.ReLU() | nn.Identity():
            return 0, Fraction(1)  # Padding belongs to a convolution, which counts what it sees.
    raise TypeError(f"it is not known how far {type(layer).__name__} sees")


class _Kept:
    """Planes in the computer's memory, each as its distance from the mean of its first tile.

    A plane may be nearly flat and far from 0, and the next norm enlarge what is left: rounded as
    it stands, it would have lost that.
    """

    reach = 0

    def __init__(self) -> None:
        self.size = 0, 0
        self._values = torch.empty(0, dtype=KEPT_TYPE)
        self._centre = torch.empty(0)

    def at(self, area: Area) -> Tensor:
        """See `Planes`."""
        return self._values[:, :, *area].to(self._centre) + self._centre

    def fill(self, planes: Planes, tiles: Iterable[tuple[Area, Tensor]]) -> None:
        """Keep planes, in place of those kept so far, which they may be computed from.

        Args:
            planes: what to keep.
            tiles: all of them, row by row.
        """
        values, centre = self._values, self._centre
        waiting: deque[tuple[Area, Tensor]] = deque()
        for area, tile in tiles:
            rows, columns = area
            if rows.start == columns.start == 0:
                centre = tile.float().mean((2, 3), keepdim=True)
                shape = *tile.shape[:2], *planes.size
                if values.shape != shape:
                    values = torch.empty(shape, dtype=KEPT_TYPE)
            waiting.append((area, (tile - centre).to("cpu", KEPT_TYPE)))
            while waiting[0][0][0].stop <= rows.start - planes.reach:  # No tile sees it any more.
                written, done = waiting.popleft()
                values[:, :, *written] = done
        for written, done in waiting:
            values[:, :, *written] = done
        self._values, self._centre, self.size = values, centre, planes.size


@dataclass(frozen=True)
class _Sum:
    """What is kept, plus a change that is computed from it."""

    kept: _Kept
    change: Planes

    @property
    def size(self) -> tuple[int, int]:
        return self.kept.size

    @property
    def reach(self) -> int:
        return self.change.reach

    def at(self, area: Area) -> Tensor:
        return self.kept.at(area).add_(self.change.at(area))


class _Statistics:
    """Mean and variance of each plane over all tiles, in float64.

    Source: Chan, Golub & LeVeque 1983.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._squares = torch.zeros((), dtype=torch.float64)
        self._device = self._mean.device

    def of(self, tiles: Iterable[tuple[Area, Tensor]]) -> Iterator[tuple[Area, Tensor]]:
        """Pass tiles on, measured."""
        for area, tile in tiles:
            self._add(tile)
            yield area, tile

    def _add(self, tile: Tensor) -> None:
        self._device, count = tile.device, tile.shape[2] * tile.shape[3]
        moments = torch.var_mean(tile.float(), (0, 2, 3), correction=0)
        variance, mean = (each.cpu().double() for each in moments)
        step, total = mean - self._mean, self._count + count
        self._mean = self._mean + step * (count / total)
        between = step.square() * (self._count * count / total)
        self._squares = self._squares + variance * count + between
        self._count = total

    def norm(self, layer: nn.InstanceNorm2d | nn.GroupNorm) -> _Local:
        """Return a norm with these statistics in place of those of what it is given."""
        mean, variance = self._mean, self._squares / self._count
        if isinstance(layer, nn.GroupNorm):
            assert layer.num_groups == 1, "of all planes together"
            variance = (variance + (mean - mean.mean()).square()).mean().expand_as(mean)
            mean = mean.mean().expand_as(mean)
        mean, variance = (each.float().to(self._device) for each in (mean, variance))
        given = partial(F.batch_norm, running_mean=mean, running_var=variance, eps=layer.eps)
        return _Local(partial(given, weight=layer.weight, bias=layer.bias))


class _Walk:
    """Goes through layers in tiles.

    Args:
        height: of the picture.
        side, memory: see `translate_in_tiles`.
    """

    def __init__(self, height: int, side: int, memory: int) -> None:
        self._height, self._side, self._memory = height, side, memory

    def tiles(self, planes: Planes) -> Iterator[tuple[Area, Tensor]]:
        """Yield all tiles of planes, row by row."""
        side = max(1, self._side * planes.size[0] // self._height)
        rows, columns = (
            [slice(start, min(start + side, length)) for start in range(0, length, side)]
            for length in planes.size
        )
        for row in rows:
            for column in columns:
                yield (row, column), planes.at((row, column))

    def through(self, layers: Iterable[nn.Module], source: Planes) -> Planes:
        """Return what layers make of the source, with all their norms measured."""
        planes, ahead = source, list[_Layer]()
        for layer in layers:
            # What was kept on the way is of use for nothing else, and may be written over.
            own = planes if isinstance(planes, _Kept) and planes is not source else _Kept()
            computed = _Computed(planes, ahead)
            if isinstance(layer, ResidualBlock):
                planes, ahead = self._block(layer, computed, own), []
            elif isinstance(layer, nn.InstanceNorm2d | nn.GroupNorm):
                statistics = _Statistics()
                tiles = statistics.of(self.tiles(computed))
                if self._has_room_for(layer, computed):
                    own.fill(computed, tiles)
                    planes, ahead = own, []
                else:
                    deque(tiles, maxlen=0)
                ahead.append(statistics.norm(layer))
            else:
                ahead.append(layer)
        return _Computed(planes, ahead)

    def _block(self, block: ResidualBlock, planes: Planes, own: _Kept) -> _Kept:
        own.fill(planes, self.tiles(planes))
        total = _Sum(own, self.through(block.body, own))
        own.fill(total, self.tiles(total))
        return own

    def _has_room_for(self, layer: nn.InstanceNorm2d | nn.GroupNorm, planes: Planes) -> bool:
        """Tell whether memory is given for two of what a norm is of: a block works on two."""
        channels = layer.num_channels if isinstance(layer, nn.GroupNorm) else layer.num_features
        return 2 * channels * math.prod(planes.size) * KEPT_TYPE.itemsize <= self._memory
