"""Paint what fills the picture: sky, ridges, ground, water."""

import numpy as np

from ostcli.images.scenes.canvas import Array, Canvas, blend, mix, noise, smooth
from ostcli.images.scenes.layout import Layout, Ridge
from ostcli.images.scenes.palette import Palette


def paint_sky(canvas: Canvas, layout: Layout, palette: Palette) -> None:
    """Paint the gradient, the light about the sun, and clouds in perspective."""
    window = canvas.window(0, 1, 0, layout.horizon + 0.02)
    height = np.clip(1 - window.y / layout.horizon, 0, 1)
    gradient = mix(palette.horizon, palette.zenith, height**0.8)
    window.view[:] = gradient
    distance = np.hypot(window.x - layout.sun[0], 1.3 * (window.y - layout.sun[1]))
    glow = (0.25 + 0.6 * layout.warmth) * (1 - 0.6 * layout.cloudiness)
    blend(window.view, glow * np.exp(-5 * distance), palette.glow)
    _paint_clouds(window.view, window.x, height, layout, palette)


def _paint_clouds(view: Array, x: Array, height: Array, layout: Layout, palette: Palette) -> None:
    depth = 1 / (height + 0.3)
    across, along = (x - 0.5) * depth * 75 + layout.offset, depth * 95 + layout.offset
    density = noise(1.45, across, along)
    towards_sun = noise(1.45, across + 7 * layout.light, along - 5)
    cover = smooth(density, 1.1 - 2.6 * layout.cloudiness, 2.4 - 2.6 * layout.cloudiness)
    shade = smooth(density - towards_sun, -0.5, 0.7) * 0.5 + smooth(density, -0.5, 2.5) * 0.3
    light = mix(palette.cloud, palette.cloud_shade, 1 - 0.85 * shade - 0.1)
    blend(view, 0.92 * cover * smooth(height, -0.15, 0.3), light)


def paint_ridges(canvas: Canvas, layout: Layout, palette: Palette) -> None:
    """Paint the hills from far to near, each behind less air."""
    for ridge in layout.ridges:
        _paint_ridge(canvas, layout, palette, ridge)


def _paint_ridge(canvas: Canvas, layout: Layout, palette: Palette, ridge: Ridge) -> None:
    top = ridge.top(canvas.x, layout.horizon)
    window = canvas.window(0, 1, float(top.min()) - 0.01, layout.horizon + 0.02)
    below = window.y - top
    paint = _woods if ridge.wooded else _rocks
    colour = paint(layout, palette, ridge, window.x, below)
    air = (0.12 + 0.5 * layout.haze) * ridge.distance
    mist = air + (0.25 + 0.3 * layout.haze) * smooth(
        window.y, layout.horizon - 0.12, layout.horizon
    )
    blend(colour, np.clip(mist, 0, 0.9), palette.horizon)
    blend(window.view, canvas.edge(below), colour)


def _facing(layout: Layout, ridge: Ridge, x: Array, shift: Array) -> Array:
    """Return how much a flank faces the light, -1 to 1: the slope of the outline at x + shift."""
    line = ridge.top(x, layout.horizon)[0]
    reach = max(len(line) // 64, 1)
    slope = (np.roll(line, -reach) - np.roll(line, reach))[reach:-reach]
    slope = np.pad(slope, reach, mode="edge") * layout.light / (2 * reach) * len(line)
    column = np.arange(len(line)) + (shift * len(line)).astype(np.int32)
    return np.tanh(1.6 * slope[np.clip(column, 0, len(line) - 1)])


def _rocks(layout: Layout, palette: Palette, ridge: Ridge, x: Array, below: Array) -> Array:
    folds = noise(1.5, x * 240 + ridge.offset, below * 150 + ridge.offset)
    detail = noise(0.9, x * 300 + below * 120, below * 200 + ridge.offset)
    facing = _facing(layout, ridge, x, folds * np.clip(0.004 + 0.4 * below, 0, 0.06))
    light = smooth(facing + 0.3 * detail, -1.2, 1.2)
    stone = mix(palette.rock_shade, palette.rock, light)
    rise = 1 - below / ridge.height + 0.06 * detail + 0.05 * folds
    snow = mix(palette.cap * palette.shadow**0.7, palette.cap, light)
    grass = mix(palette.wood, palette.ground, 0.6 * light)
    blend(stone, smooth(rise, 0.6, 0.3) * (1 - 0.3 * palette.snow_cover), grass)
    cover = smooth(rise, palette.cap_line - 0.06, palette.cap_line + 0.08)
    blend(stone, cover * smooth(detail - 0.9 * facing, 1.2, -0.2), snow)
    return stone


def _woods(layout: Layout, palette: Palette, ridge: Ridge, x: Array, below: Array) -> Array:
    detail = noise(1.2, x * 200 + ridge.offset, below * 260 + ridge.offset)
    facing = _facing(layout, ridge, x, 0.02 * detail)
    crowns = noise(0.3, x * 300 + ridge.offset, below * 210 + ridge.offset)
    light = smooth(0.4 * crowns + 0.55 * facing + 0.35 * detail, -1.2, 1.6)
    woods = mix(palette.wood, palette.wood_light, light)
    clearing = smooth(detail - 0.5 * crowns, 1.2, 1.7)
    blend(woods, clearing, palette.ground)
    return woods


def paint_ground(canvas: Canvas, layout: Layout, palette: Palette) -> None:
    """Paint the meadow or the snow field in perspective, with flowers or stalks in front."""
    window = canvas.window(0, 1, layout.horizon, 1)
    near = np.clip((window.y - layout.horizon) / (1 - layout.horizon), 0, 1)
    depth = 1 / (near + 0.08)
    across, along = (window.x - 0.5) * depth + layout.offset, depth * 2.2 + layout.offset
    waves = noise(1.5, across * 26, along * 22)
    slope = waves - noise(1.5, across * 26 + 2.5 * layout.light, along * 22 + 1)
    blades = noise(0.55, across * 95, along * 60)
    light = smooth(1.5 * slope + 0.3 * blades + 0.25 * waves, -1.4, 1.3)
    colour = mix(palette.ground_shade, palette.ground, light)
    dry = smooth(waves + 0.35 * blades + 1.2 * layout.lushness, 0.4, 2.6)
    blend(colour, 0.75 * dry * light, palette.ground_light)
    _paint_specks(colour, across, along, near, palette)
    blend(colour, 0.5 * layout.haze * (1 - near) ** 6, palette.horizon)
    blend(window.view, canvas.edge(window.y - layout.horizon), colour)


def _paint_specks(
    colour: Array, across: Array, along: Array, near: Array, palette: Palette
) -> None:
    field = noise(1.3, across * 15 + 99, along * 13)
    grains = noise(0.2, across * 120, along * 85 + 50)
    specks = smooth(grains + 0.7 * field, 2.0, 2.6) * smooth(near, 0.1, 0.5)
    kinds = smooth(field, 0.0, 0.6)
    blend(colour, 0.85 * specks, mix(palette.speck, palette.speck_warm, kinds))


def paint_water(canvas: Canvas, layout: Layout, palette: Palette) -> None:
    """Paint the lake or river: what stands behind it upside down, then drifts of snow."""
    water = layout.water
    if water is None:
        return
    far = water.far_shore(canvas.x)
    window = canvas.window(0, 1, float(far.min()) - 0.03, 1)
    inside = water.inside(window.x, window.y)
    near = np.clip((window.y - water.far) / (1 - water.far), 0, 1)
    depth = 1 / (near + 0.06)
    ripple = noise(1.0, window.x * depth * 24 + layout.offset, depth * 60 + layout.offset)
    shown = _mirror(canvas, window.x, window.y, far, ripple * (0.004 + 0.02 * near))
    tint = 1 - palette.mirror * (1 - 0.35 * near) + 0.05 * ripple
    shown = mix(shown, palette.water, np.clip(tint, 0, 1))
    drifts = noise(1.4, window.x * depth * 14 + 70, depth * 26 + layout.offset)
    snowy = palette.ice * smooth(drifts - 12 * inside, -0.3, 1.3)
    blend(shown, snowy, palette.ground)
    rim = np.exp(-((inside / (0.004 + 0.014 * near)) ** 2)) * (window.y > far)
    blend(window.view, 0.5 * rim, palette.bank)
    blend(shown, 0.45 * np.exp(-np.maximum(inside, 0) / 0.008), palette.water * palette.shadow)
    blend(window.view, canvas.edge(inside), shown)


def _mirror(canvas: Canvas, x: Array, y: Array, far: Array, ripple: Array) -> Array:
    """Return what the water shows at each place: the canvas mirrored at the far shore."""
    rows = np.clip((2 * far - y + ripple) * canvas.side, 0, canvas.side - 1).astype(np.int32)
    cols = np.clip((x + 0.5 * ripple) * canvas.side, 0, canvas.side - 1).astype(np.int32)
    rows = np.minimum(rows, (far * canvas.side).astype(np.int32))
    shown: Array = canvas.rgb[rows, cols]
    return shown
