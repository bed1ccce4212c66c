"""What follows from how near the example and the folder are to photographs.

What `--finish auto` means (decisions 0005 and 0011), and whether strokes are filtered from the
example (0026).
"""

from statistics import median
from typing import Any

from PIL import Image

from ostcli.config import Finish, Look, Preset, PretrainConfig
from ostcli.images.folder import spread
from ostcli.images.texture import PHOTO_GAP_LIMIT, unlike_photo
from ostcli.method.augment import Pictures
from ostcli.presets import STROKE_FILTER

NUM_JUDGED = 40
"""Pictures of B whose median stands for the folder."""


def folder_texture(folder: Pictures) -> float:
    """Return how far a folder's pictures are from photographs, in the median.

    Args:
        folder: whole pictures, at least one. A model keeps the number, since pieces of pictures
            scaled down, as a keepsake holds them, look painted.
    """
    return round(median(map(unlike_photo, spread(folder, NUM_JUDGED))), 3)


def decide_finish(example: Image.Image, texture: float, look: Look) -> dict[str, Any]:
    """Decide between the source's own pixels and the network's, once per adaptation.

    A structure is drawn anew, so it wants the network's pixels. A style wants the source's own
    detail where both sides are photographs, and the network's where strokes come or go.

    Args:
        example: the picture of A. RGB, any size.
        texture: `folder_texture` of B.
        look: of the model.

    Returns:
        The manifest's facts: `finish` ("photo" or "network") and `texture_gap`.
    """
    if look is Look.STRUCTURE:
        return {"finish": Finish.NETWORK.value}
    gap = round(max(unlike_photo(example), texture), 3)
    finish = Finish.PHOTO if gap <= PHOTO_GAP_LIMIT else Finish.NETWORK
    return {"finish": finish.value, "texture_gap": gap}


def decide_filter(example: Image.Image, texture: float, model: PretrainConfig) -> float:
    """Return the strength of the filter through which E_A is to see pictures.

    Where the folder holds photographs and the example is painted, its strokes have to go, and
    detail past the latent would keep them.

    Args:
        example: the picture of A. RGB, any size.
        texture: `folder_texture` of B.
        model: phase I's settings.

    Source: decision 0026.
    """
    if model.preset is Preset.PAPER or model.look is Look.STRUCTURE or texture > PHOTO_GAP_LIMIT:
        return 0.0
    return STROKE_FILTER if unlike_photo(example) > PHOTO_GAP_LIMIT else 0.0
