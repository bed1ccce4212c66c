"""Where everything is in a scene; the season has no say here."""

from dataclasses import dataclass
from enum import Enum, auto
from itertools import chain

import numpy as np

from ostcli.images.scenes.canvas import Array, noise


@dataclass(frozen=True, kw_only=True)
class Ridge:
    """A line of hills; distances from 1 (far) to 0 (near)."""

    height: float
    distance: float
    wavelength: float
    wooded: bool
    offset: float

    def top(self, x: Array, horizon: float) -> Array:
        """Return the outline's y for each x."""
        broad = noise(2.0, x * 512 / self.wavelength + self.offset, np.full_like(x, self.offset))
        rough = noise(1.5, x * 260 + self.offset, np.full_like(x, self.offset * 2))
        teeth = noise(0.4, x * 420 + self.offset, np.full_like(x, self.offset * 3))
        peaks = 0.95 - 0.5 * np.abs(broad) + 0.07 * rough
        hills = 0.62 + 0.22 * broad + 0.02 * rough
        swing = hills if self.wooded else peaks
        return horizon - self.height * np.maximum(swing, 0.05) - 0.0035 * self.wooded * teeth


@dataclass(frozen=True, kw_only=True)
class Water:
    """A lake across the picture, or a river towards the eye."""

    river: bool
    far: float
    near: float
    tilt: float
    bend: float
    offset: float

    def far_shore(self, x: Array) -> Array:
        """Return the y about which the water mirrors."""
        wave = noise(1.6, x * 160 + self.offset, np.full_like(x, self.offset))
        return self.far + 0.006 * wave

    def inside(self, x: Array, y: Array) -> Array:
        """Return a signed distance from the shore: positive in the water."""
        behind = y - self.far_shore(x)
        if not self.river:
            wave = noise(1.9, x * 150 + self.offset, np.full_like(x, 2 * self.offset))
            return np.minimum(behind, self.near + self.tilt * (x - 0.5) + 0.035 * wave - y)
        depth = np.clip((y - self.far) / (1 - self.far), 0, 1)
        centre = 0.5 + self.tilt * (1 - depth) + self.bend * np.sqrt(depth) * np.sin(5.5 * depth)
        ragged = 0.03 * depth * noise(1.6, x * 60 + self.offset, y * 160 + self.offset)
        banks: Array = np.minimum(
            behind, (0.008 + 0.22 * depth + ragged - np.abs(x - centre)) * 0.6
        )
        return banks


class Kind(Enum):
    """What stands on the ground."""

    CONIFER = auto()
    LEAF_TREE = auto()
    BUSH = auto()
    ROCK = auto()
    CABIN = auto()


@dataclass(frozen=True, kw_only=True)
class Thing:
    """Something that stands on the ground at (x, y)."""

    kind: Kind
    x: float
    y: float
    height: float
    width: float
    tint: float
    """What makes two of a kind differ, from 0 to 1."""
    seed: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A place at an hour."""

    horizon: float
    sun: tuple[float, float]
    warmth: float
    cloudiness: float
    haze: float
    lushness: float
    offset: float
    ridges: tuple[Ridge, ...]
    water: Water | None
    things: tuple[Thing, ...]
    """From far to near."""

    @property
    def light(self) -> float:
        """From where the light comes: -1 left to 1 right."""
        return 1.0 if self.sun[0] > 0.5 else -1.0

    @property
    def behind_water(self) -> tuple[Thing, ...]:
        """What the water mirrors."""
        return tuple(t for t in self.things if self.water and t.y < self.water.far + 0.02)

    @property
    def before_water(self) -> tuple[Thing, ...]:
        """What stands on this side of the water."""
        return tuple(t for t in self.things if not self.water or t.y >= self.water.far + 0.02)


def lay_out(rng: np.random.Generator) -> Layout:
    """Draw a place at random.

    Args:
        rng: asked for uniform numbers only, whose stream has been the same in every NumPy.
    """
    horizon = rng.uniform(0.36, 0.58)
    warmth = rng.uniform() ** 1.5
    sun = (0.5 + _sign(rng) * rng.uniform(0.12, 0.6), horizon * (0.1 + 0.65 * warmth))
    ridges = _ridges(rng, horizon)
    water = _water(rng, horizon)
    makers = (_trees, _bushes, _rocks, _cabins)
    things = _on_land([*chain.from_iterable(make(rng, horizon) for make in makers)], water)
    return Layout(
        horizon=horizon,
        sun=sun,
        warmth=warmth,
        cloudiness=rng.uniform() ** 1.5,
        haze=rng.uniform(0.1, 0.8),
        lushness=rng.uniform(0, 1),
        offset=rng.uniform(0, 512),
        ridges=ridges,
        water=water,
        things=tuple(sorted(things, key=lambda thing: thing.y)),
    )


def _sign(rng: np.random.Generator) -> float:
    return 1.0 if rng.uniform() < 0.5 else -1.0


def _ridges(rng: np.random.Generator, horizon: float) -> tuple[Ridge, ...]:
    count = int(rng.uniform(2, 5))
    tallest = rng.uniform(0.35, 0.85) * horizon
    distances = np.linspace(1, 0.15, count)
    return tuple(_ridge(rng, float(distance), tallest) for distance in distances)


def _ridge(rng: np.random.Generator, distance: float, tallest: float) -> Ridge:
    wooded = distance < 0.6 or tallest < 0.2
    return Ridge(
        height=tallest * (0.22 + 0.78 * distance) * rng.uniform(0.75, 1.1),
        distance=distance,
        wavelength=rng.uniform(1.8, 4.5) if wooded else rng.uniform(3, 6),
        wooded=wooded,
        offset=rng.uniform(0, 512),
    )


def _water(rng: np.random.Generator, horizon: float) -> Water | None:
    kind, room = rng.uniform(), 1 - horizon
    far = horizon + room * rng.uniform(0.06, 0.16)
    water = Water(
        river=kind < 0.3,
        far=far,
        near=far + room * rng.uniform(0.22, 0.62),
        tilt=rng.uniform(-0.32, 0.32),
        bend=_sign(rng) * rng.uniform(0.1, 0.3),
        offset=rng.uniform(0, 512),
    )
    return water if kind < 0.82 else None


def _scale(y: float, horizon: float) -> float:
    """Return how large things look that stand at y."""
    return 0.11 + 0.89 * (y - horizon) / (1 - horizon)


def _thing(
    rng: np.random.Generator, kind: Kind, *, x: float, y: float, height: float, width: float
) -> Thing:
    tint, seed = rng.uniform(), int(rng.uniform(0, 2**31))
    return Thing(kind=kind, x=x, y=y, height=height, width=width, tint=tint, seed=seed)


def _trees(rng: np.random.Generator, horizon: float) -> list[Thing]:
    """Draw a far line of woods, groups in the middle, and few large ones at the sides."""
    dark = rng.uniform(0.1, 0.95)
    density = rng.uniform(0.25, 1)
    trees = []
    for _ in range(int(4 + 10 * density)):
        place, depth = rng.uniform(-0.05, 1.05), 0.02 + 0.1 * rng.uniform()
        trees += _group(rng, place, depth, horizon, dark, count=int(rng.uniform(3, 8)))
    for _ in range(int(2 + 5 * density)):
        place, depth = rng.uniform(0, 1), 0.1 + 0.4 * rng.uniform()
        trees += _group(rng, place, depth, horizon, dark, count=int(rng.uniform(2, 6)))
    for side in (0, 1):
        if rng.uniform() < 0.25 + 0.4 * density:
            place, depth = abs(side - rng.uniform(-0.02, 0.16)), rng.uniform(0.55, 0.85)
            trees += _group(rng, place, depth, horizon, dark, count=int(rng.uniform(1, 3)))
    return trees


def _group(
    rng: np.random.Generator, x: float, depth: float, horizon: float, dark: float, count: int
) -> list[Thing]:
    conifers = rng.uniform() < dark
    return [_tree(rng, x, depth, horizon, conifers) for _ in range(count)]


def _tree(
    rng: np.random.Generator, x: float, depth: float, horizon: float, conifers: bool
) -> Thing:
    y = horizon + (1 - horizon) * depth * rng.uniform(0.9, 1.12)
    scale = _scale(y, horizon)
    conifer = bool(rng.uniform() < (0.88 if conifers else 0.12))
    height = scale * (rng.uniform(0.36, 0.66) if conifer else rng.uniform(0.3, 0.48))
    return _thing(
        rng,
        Kind.CONIFER if conifer else Kind.LEAF_TREE,
        x=x + scale * (rng.uniform(-0.34, 0.34) + rng.uniform(-0.34, 0.34)),
        y=y,
        height=height,
        width=height * (rng.uniform(0.36, 0.5) if conifer else rng.uniform(0.75, 1.0)),
    )


def _bushes(rng: np.random.Generator, horizon: float) -> list[Thing]:
    count = int(rng.uniform(2, 16))
    return [_low(rng, horizon, Kind.BUSH, size=0.15, flatness=0.75) for _ in range(count)]


def _rocks(rng: np.random.Generator, horizon: float) -> list[Thing]:
    count = int(rng.uniform(0, 9))
    return [_low(rng, horizon, Kind.ROCK, size=0.1, flatness=0.57) for _ in range(count)]


def _low(
    rng: np.random.Generator, horizon: float, kind: Kind, *, size: float, flatness: float
) -> Thing:
    """Draw something low anywhere on the ground, of about this width and height / width."""
    y = horizon + (1 - horizon) * rng.uniform(0.13, 0.95)
    width = _scale(y, horizon) * size * rng.uniform(0.55, 1.5)
    height = width * flatness * rng.uniform(0.8, 1.2)
    return _thing(rng, kind, x=rng.uniform(0, 1), y=y, height=height, width=width)


def _cabins(rng: np.random.Generator, horizon: float) -> list[Thing]:
    present = rng.uniform() < 0.35
    y = horizon + (1 - horizon) * rng.uniform(0.09, 0.45)
    height = _scale(y, horizon) * rng.uniform(0.22, 0.3)
    cabin = _thing(
        rng,
        Kind.CABIN,
        x=rng.uniform(0.15, 0.85),
        y=y,
        height=height,
        width=height * rng.uniform(1.4, 1.8),
    )
    return [cabin] if present else []


def _on_land(things: list[Thing], water: Water | None) -> list[Thing]:
    """Return the things whose foot is dry over all its width."""
    if water is None:
        return things
    trees = (Kind.CONIFER, Kind.LEAF_TREE)
    reach = np.array([t.width * (0.12 if t.kind in trees else 0.5) for t in things])
    x, y = np.array([(t.x, t.y) for t in things], np.float32).T
    feet = (x + np.array([[-1], [0], [1]]) * reach).astype(np.float32)
    wet = (water.inside(feet, np.broadcast_to(y, feet.shape)) > -0.004).max(axis=0)
    return [thing for thing, is_wet in zip(things, wet, strict=True) if not is_wet]
