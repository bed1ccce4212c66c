"""What `--finish auto` means for an adaptation (decision 0005)."""

from typing import Any

from PIL import Image

from ostcli.config import Finish, Look
from ostcli.images.folder import spread
from ostcli.images.texture import PHOTO_GAP_LIMIT, texture_gap
from ostcli.method.augment import Pictures

NUM_COMPARED = 40
"""Pictures of B that the example is compared with."""


def decide_finish(example: Image.Image, folder: Pictures, look: Look) -> dict[str, Any]:
    """Decide between the source's own pixels and the network's, once per adaptation.

    A structure is drawn anew, so it wants the network's pixels. A style wants the source's own
    detail where both sides are photographs, and the network's where strokes come or go.

    Args:
        example: as the network sees it. RGB.
        folder: pictures of B.
        look: of the model.

    Returns:
        The manifest's facts: `finish` ("photo" or "network") and `texture_gap`.
    """
    if look is Look.STRUCTURE:
        return {"finish": Finish.NETWORK.value}
    gap = texture_gap(example, spread(folder, NUM_COMPARED))
    finish = Finish.PHOTO if gap <= PHOTO_GAP_LIMIT else Finish.NETWORK
    return {"finish": finish.value, "texture_gap": round(gap, 3)}
