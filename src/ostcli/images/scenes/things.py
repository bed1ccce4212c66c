"""Paint what stands on the ground: conifers, leaf trees, rocks, a cabin, and their shadows."""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from ostcli.images.scenes.canvas import Array, Canvas, Window, blend, mix, noise, smooth
from ostcli.images.scenes.layout import Kind, Layout, Thing
from ostcli.images.scenes.palette import Palette


def paint_shadows(canvas: Canvas, layout: Layout, palette: Palette) -> None:
    """Darken the ground beside everything, away from the light, softly where clouds are."""
    shadow = np.zeros_like(canvas.rgb[..., 0])
    for thing in layout.things:
        length = thing.height * (0.35 + 0.7 * layout.warmth)
        centre = thing.x - 0.5 * layout.light * length
        left, right = sorted((centre - length, centre + length))
        thick = 0.1 * thing.width + 0.02 * thing.height
        rows, cols = canvas.area(left, right, thing.y - 3 * thick, thing.y + 3 * thick)
        u = (canvas.x[:, cols] - centre) / (0.5 * length + 0.25 * thing.width)
        v = (canvas.y[rows] - thing.y - 0.1 * thick) / thick
        part = shadow[rows, cols]
        np.maximum(part, smooth(u * u + v * v, 1.6, 0.1), out=part)
    strength = 0.85 - 0.55 * layout.cloudiness
    canvas.rgb *= 1 - strength * shadow[..., None] * (1 - palette.shadow)


def paint_things(canvas: Canvas, layout: Layout, palette: Palette, things: Sequence[Thing]) -> None:
    """Paint things from far to near, the far ones behind some air."""
    painters = {
        Kind.CONIFER: _paint_conifer,
        Kind.LEAF_TREE: _paint_leaf_tree,
        Kind.BUSH: _paint_leaf_tree,
        Kind.ROCK: _paint_rock,
        Kind.CABIN: _paint_cabin,
    }
    for thing in things:
        reach = 0.62 * thing.width
        top = thing.y - 1.08 * thing.height
        window = canvas.window(
            thing.x - reach, thing.x + reach, top, thing.y + 0.1 * thing.height + 2 * canvas.pixel
        )
        if window.view.size:
            painters[thing.kind](canvas, window, thing, layout, palette)


def _local(window: Window, thing: Thing) -> tuple[Array, Array]:
    """Return places relative to a thing: u from -1 to 1 across, v from 0 at its foot to 1."""
    return (window.x - thing.x) / (0.5 * thing.width), (thing.y - window.y) / thing.height


def _air(layout: Layout, palette: Palette, thing: Thing, colour: Array) -> Array:
    """Return a thing's colour behind the air between it and the eye."""
    near = (thing.y - layout.horizon) / (1 - layout.horizon)
    share = (0.1 + 0.4 * layout.haze) * (1 - near) ** 6
    return colour + share * (palette.horizon - colour)


def _paint_conifer(
    canvas: Canvas, window: Window, thing: Thing, layout: Layout, palette: Palette
) -> None:
    u, v = _local(window, thing)
    grain = noise(0.7, u * 16 + thing.seed % 512, v * 34 + thing.seed % 311)
    down = np.clip(1 - v, 0, 1)  # 0 at the tip
    tiers = (7 + 4 * thing.tint) * down**0.85 - 0.45 * np.abs(u) + 0.13 * grain
    fringe = tiers - np.floor(tiers)
    half = down**0.9 * (0.66 + 0.3 * fringe) + 0.05 * grain * down
    crown = canvas.edge((half - np.abs(u)) * 0.5 * thing.width) * canvas.edge(
        (v - 0.1 + 0.05 * np.abs(u) + 0.02 * grain) * thing.height
    )
    lit = 0.5 + 0.5 * np.clip(u * layout.light / np.maximum(half, 0.05), -1, 1)
    light = smooth(0.5 * lit + 0.45 * fringe + 0.16 * grain, 0.15, 1.15)
    colour = mix(palette.needle, palette.needle_light * (0.85 + 0.3 * thing.tint), light)
    snow = palette.snow_cover * smooth(fringe + 0.25 * grain + 0.25 * lit, 0.55, 1.0)
    blend(colour, (0.45 + 0.4 * lit) * snow, mix(palette.snow * palette.shadow, palette.snow, lit))
    _paint_trunk(canvas, window, thing, layout, palette, 0.045, 0.1)
    blend(window.view, crown, _air(layout, palette, thing, colour))


def _paint_trunk(
    canvas: Canvas,
    window: Window,
    thing: Thing,
    layout: Layout,
    palette: Palette,
    half: float,
    top: float,
) -> None:
    u, v = _local(window, thing)
    width = (half * (1.25 - 0.5 * v / top) - np.abs(u)) * 0.5 * thing.width
    inside = canvas.edge(width) * canvas.edge(v * thing.height) * (v < top)
    bright = 0.75 + 0.35 * smooth(u * layout.light, -half, half)
    blend(window.view, inside, _air(layout, palette, thing, palette.bark * bright[..., None]))


def _paint_leaf_tree(
    canvas: Canvas, window: Window, thing: Thing, layout: Layout, palette: Palette
) -> None:
    u, v = _local(window, thing)
    sunk = 0.32 if thing.kind is Kind.BUSH else 0.0  # A bush is a crown on the ground.
    v = v + sunk
    grain = noise(0.6, u * 24 + thing.seed % 512, v * 26 + thing.seed % 311)
    field, facing = _crown(u, v, thing.seed, layout.light)
    field = field + 0.13 * grain
    inside = canvas.edge(field * 0.16 * thing.width) * canvas.edge((v - sunk) * thing.height)
    if not sunk:
        _paint_trunk(canvas, window, thing, layout, palette, 0.06, 0.55)
    light = smooth(0.55 * facing + 0.3 * grain + 0.7 * (v - 0.6), -0.75, 0.95)
    colour = mix(palette.leaf, palette.leaf_light * (0.85 + 0.3 * thing.tint), light)
    twigs, bare = _twigs(u, v, grain), 1 - palette.leaf_cover
    blend(colour, bare * twigs, palette.bark)
    snow = palette.snow_cover * smooth(light + 0.2 * grain, 0.75, 1.15)
    blend(colour, 0.5 * snow * (1 - twigs), palette.snow)
    thin = 1 - bare * smooth(field, 0.5, 0.0) - bare * 0.6 * smooth(grain, -0.2, 1.0)
    cover = np.clip(np.maximum(thin, 0.9 * twigs + palette.leaf_cover), 0, 1)
    blend(window.view, inside * cover, _air(layout, palette, thing, colour))


def _crown(u: Array, v: Array, seed: int, light: float) -> tuple[Array, Array]:
    """Return how deep inside one of eight balls of leaves, and how much it faces the light."""
    # Chance again, but of the tree's own: its crown is part of the place.
    chance = np.random.Generator(np.random.PCG64(seed)).random((3, 8, 1, 1), np.float32)
    angle, out, radius = 2 * np.pi * chance[0], np.sqrt(chance[1]), 0.3 + 0.14 * chance[2]
    out[0], radius[0] = 0, 0.62  # the heart of the crown
    du = (u - 0.6 * out * np.cos(angle)) / radius
    dv = (v - 0.6 - 0.24 * out * np.sin(angle)) / (0.52 * radius)
    squares = du * du + dv * dv
    nearest = squares.argmin(axis=0)[None]
    facing = np.take_along_axis(0.6 * light * du + 0.75 * dv, nearest, 0)[0]
    return 1 - np.sqrt(np.take_along_axis(squares, nearest, 0)[0]), facing


def _twigs(u: Array, v: Array, grain: Array) -> Array:
    """Return branches that fan out from the top of the trunk, 1 on a branch."""
    across, along = 0.6 * u, v - 0.2
    angle = np.arctan2(across, np.maximum(along, 0.01)) + 0.06 * grain
    return smooth(np.cos(13 * angle), 0.55, 0.95) * smooth(along, 0.0, 0.1)


def _paint_rock(
    canvas: Canvas, window: Window, thing: Thing, layout: Layout, palette: Palette
) -> None:
    u, v = _local(window, thing)
    grain = noise(1.2, u * 14 + thing.seed % 512, v * 9 + thing.seed % 311)
    dome = 1 - np.abs(u) ** 2.4 - np.maximum(v, 0) ** 1.6 + 0.16 * grain
    inside = canvas.edge(dome * 0.35 * thing.width) * canvas.edge((v - 0.04) * thing.height)
    light = smooth(0.8 * u * layout.light + 0.8 * v + 0.4 * grain, -0.7, 1.3)
    colour = mix(palette.rock_shade, palette.rock, light)
    blend(colour, palette.snow_cover * smooth(v + 0.18 * grain, 0.4, 0.65), palette.snow)
    blend(window.view, inside, _air(layout, palette, thing, colour))


def _paint_cabin(
    canvas: Canvas, window: Window, thing: Thing, layout: Layout, palette: Palette
) -> None:
    """Paint a gable on the left, and the long side with its roof to the right.

    Each shape is a signed distance (inside > 0): the least of those to its edges.
    """
    u, v = _local(window, thing)
    beside = np.abs(u + 0.45)  # from the middle of the gable
    under_ridge = 1 - 0.95 * beside - v
    front = _within(0.42 - beside, v, under_ridge)
    side = _within(u + 0.03, 0.9 - u, v, 0.58 - v)
    lean = 0.58 - v
    roof = _within(u - lean, 0.9 + lean - u, v - 0.5, 1 - v)
    eaves = _within(0.07 - np.abs(under_ridge), 0.55 - beside)
    left, right = (0.72, 1.05) if layout.light > 0 else (1.05, 0.72)
    planks = (0.9 + 0.12 * np.sin(v * 60))[..., None]
    for shape, colour in (
        (side, palette.wall * right * planks),
        (front, palette.wall * left * planks),
        (roof, palette.roof * (0.8 + 0.2 * right)),
        (eaves, palette.roof * (0.8 + 0.2 * left)),
        (_pane(u, v, -0.45, 0.42), palette.pane),
        (_pane(u, v, 0.3, 0.32), palette.pane),
        (_pane(u, v, 0.62, 0.32), palette.pane),
    ):
        painted = _air(layout, palette, thing, colour)
        blend(window.view, canvas.edge(shape * 0.5 * thing.height), painted)


def _pane(u: Array, v: Array, x: float, y: float) -> Array:
    return _within(0.1 - np.abs(u - x), 0.12 - np.abs(v - y))


def _within(*edges: Array) -> Array:
    """Return the signed distance of the area inside all of these edges."""
    inside: Array = reduce(np.minimum, edges)
    return inside
