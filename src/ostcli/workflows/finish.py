"""What `--finish auto` means for an adaptation (decision 0005)."""

from typing import Any

from PIL import Image

from ostcli.config import Finish, Look, ViewConfig
from ostcli.images.folder import reduce_to_working_size, spread
from ostcli.images.texture import PHOTO_GAP_LIMIT, texture_gap
from ostcli.method.augment import Pictures

NUM_COMPARED = 40
"""Pictures of B that the example is compared with."""


def decide_finish(
    example: Image.Image, folder: Pictures, look: Look, view: ViewConfig
) -> dict[str, Any]:
    """Decide between the source's own pixels and the network's, once per adaptation.

    A structure is drawn anew, so it wants the network's pixels. A style wants the source's own
    detail where both sides are photographs, and the network's where strokes come or go.

    Args:
        example: the picture of A. RGB, any size; judged at the size that the network sees.
        folder: pictures of B.
        look: of the model.
        view: of the model.

    Returns:
        The manifest's facts: `finish` ("photo" or "network") and `texture_gap`.
    """
    if look is Look.STRUCTURE:
        return {"finish": Finish.NETWORK.value}
    gap = texture_gap(reduce_to_working_size(example, view), spread(folder, NUM_COMPARED))
    finish = Finish.PHOTO if gap <= PHOTO_GAP_LIMIT else Finish.NETWORK
    return {"finish": finish.value, "texture_gap": round(gap, 3)}
