"""The colours of a season, and how the hour and the clouds tint them."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ostcli.images.scenes.canvas import Array


def _rgb(code: str) -> Array:
    return np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)], np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Palette:
    """What each class of thing looks like in a season: sRGB colours (3,) in [0, 1]."""

    zenith: Array
    horizon: Array
    glow: Array
    """The sky about a low sun."""
    cloud: Array
    cloud_shade: Array
    rock: Array
    rock_shade: Array
    cap: Array
    """Snow on mountains."""
    cap_line: float
    """Height, as a share of a mountain, above which it is white."""
    wood: Array
    """Distant forest."""
    wood_light: Array
    ground: Array
    ground_shade: Array
    ground_light: Array
    speck: Array
    """Flowers, or dry stalks in the snow."""
    speck_warm: Array
    bank: Array
    water: Array
    mirror: float
    """Share of the reflection in the water's colour."""
    ice: float
    """Share of the water that snow drifts cover."""
    needle: Array
    needle_light: Array
    leaf: Array
    leaf_light: Array
    leaf_cover: float
    """How opaque a crown is: leaves, or bare twigs."""
    bark: Array
    snow: Array
    snow_cover: float
    """How much snow lies on things."""
    shadow: Array
    """Factor of the ground's colour in shadow."""
    wall: Array
    roof: Array
    pane: Array
    sun: Array
    """Factor of the colours in low sunlight."""


SUMMER = Palette(
    zenith=_rgb("5588bd"),
    horizon=_rgb("cadde6"),
    glow=_rgb("ffdca0"),
    cloud=_rgb("fbfaf6"),
    cloud_shade=_rgb("a9b9cb"),
    rock=_rgb("a39a90"),
    rock_shade=_rgb("57606e"),
    cap=_rgb("eef2f6"),
    cap_line=0.88,
    wood=_rgb("274435"),
    wood_light=_rgb("5f7f4b"),
    ground=_rgb("85a053"),
    ground_shade=_rgb("54733d"),
    ground_light=_rgb("c9c278"),
    speck=_rgb("f4eecb"),
    speck_warm=_rgb("dda653"),
    bank=_rgb("8b7d57"),
    water=_rgb("2f6480"),
    mirror=0.72,
    ice=0.0,
    needle=_rgb("143420"),
    needle_light=_rgb("4c7a3b"),
    leaf=_rgb("2d4c24"),
    leaf_light=_rgb("93a94f"),
    leaf_cover=1.0,
    bark=_rgb("4f3d2d"),
    snow=_rgb("f4f7fb"),
    snow_cover=0.0,
    shadow=_rgb("79918d"),
    wall=_rgb("86603f"),
    roof=_rgb("6f4740"),
    pane=_rgb("3c4a55"),
    sun=_rgb("ffe3b8"),
)

WINTER = Palette(
    zenith=_rgb("7396bd"),
    horizon=_rgb("d9dfe5"),
    glow=_rgb("ffd3ac"),
    cloud=_rgb("eceef0"),
    cloud_shade=_rgb("97a5b6"),
    rock=_rgb("8b8d95"),
    rock_shade=_rgb("4f5c72"),
    cap=_rgb("e6ebf2"),
    cap_line=0.1,
    wood=_rgb("2e3f4e"),
    wood_light=_rgb("8e9dac"),
    ground=_rgb("e8edf4"),
    ground_shade=_rgb("a6b8d6"),
    ground_light=_rgb("f8f6f2"),
    speck=_rgb("a8967c"),
    speck_warm=_rgb("86694a"),
    bank=_rgb("c3ccd6"),
    water=_rgb("93a7b8"),
    mirror=0.4,
    ice=0.9,
    needle=_rgb("15292b"),
    needle_light=_rgb("3d5650"),
    leaf=_rgb("48403e"),
    leaf_light=_rgb("8b8078"),
    leaf_cover=0.42,
    bark=_rgb("3d332d"),
    snow=_rgb("eaf0f8"),
    snow_cover=1.0,
    shadow=_rgb("9db4dc"),
    wall=_rgb("6b4c39"),
    roof=_rgb("e6ebf3"),
    pane=_rgb("ffce7a"),
    sun=_rgb("ffe2c6"),
)

# Light itself, and what it does not reach.
_UNTINTED = {"zenith", "horizon", "glow", "pane", "shadow", "sun"}


def lit(palette: Palette, warmth: float, cloudiness: float) -> Palette:
    """Return the palette under this light.

    Args:
        palette: a season's colours at noon under a clear sky.
        warmth: 0 at noon to 1 with a low golden sun.
        cloudiness: 0 clear to 1 overcast, which greys the light.
    """
    warm = warmth * (1 - 0.6 * cloudiness)
    factor = (1 - 0.18 * cloudiness) * (1 + warm * (1.07 * palette.sun - 1))
    colours: dict[str, Any] = {
        field.name: getattr(palette, field.name) * factor
        for field in fields(palette)
        if field.type is Array and field.name not in _UNTINTED
    }
    colours["horizon"] = palette.horizon + 0.65 * warm * (palette.glow - palette.horizon)
    colours["zenith"] = palette.zenith + 0.55 * cloudiness * (palette.cloud_shade - palette.zenith)
    return replace(palette, **colours)
