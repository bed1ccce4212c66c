"""What a training came to, in figures and in words: whether it is good, and what would help.

No truth is needed and no network but the trained ones. The limits are where the eye begins to
object (decisions 0015, 0030).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import mean

import torch
from PIL import Image, ImageOps
from torch import Tensor

from ostcli.config import AdaptConfig, Finish, Look, PretrainConfig
from ostcli.images.folder import spread
from ostcli.images.measure import (
    WINDOW,
    artefacts,
    detail_correlation,
    detail_size,
    mean_absolute_error,
)
from ostcli.images.sheet import reduce_for_preview
from ostcli.images.tensors import image_to_tensor
from ostcli.method.augment import Pictures
from ostcli.method.networks import Networks
from ostcli.method.patches import gram_distance, most_alike, patch_distance
from ostcli.workflows.translator import Translator

NUM_JUDGED = 8
"""Pictures of B that a model gives back."""
NUM_HELD_AGAINST = 48
"""Pictures of B of whose patches, those of the half most alike, a translation's are held against
(decision 0025)."""
FEW_PICTURES = 60
"""A folder of fewer is named as what limits a result."""
MOST_LOST = 0.25
"""Share of a picture's contrast that a sound reconstruction may miss (decision 0024)."""
LEAST_DETAIL = 0.75
"""Correlation of a picture's fine detail with its reconstruction's, from which it looks sharp."""
LEAST_TO_SEE = 1 / 255
"""Size of the detail of a picture that has some: others say nothing of it."""
LEAST_KEPT = 0.5
"""Correlation of the example's detail with its translation's, below which things are torn."""
LEAST_MOVED = 0.05
"""Share of the way to the folder's patches, below which hardly anything has changed."""
MOST_NOISE = 1.5
"""Times the example's own grain in its flat places, above which noise or a grid shows."""
LEAST_GRAIN = 0.5
"""In levels of 255: what a drawn or a scanned flat counts as."""
FITTED = (128, 128)
"""Width and height at which patches are compared."""
OTHER_LOOK = {
    Look.STYLE: "if shapes are to change, pretrain with --look structure",
    Look.STRUCTURE: "if shapes are to stay, pretrain with --look style",
}
"""What to try where a look has changed hardly anything, by the model's own."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a training's result is likely to be good."""

    is_good: bool
    summary: str
    """The figures in words."""
    advice: tuple[str, ...]
    """What would help, most useful first; may hold something for a good result too."""
    figures: Mapping[str, float]


def judge_model(
    networks: Networks, pictures: Pictures, config: PretrainConfig, steps: int
) -> Verdict:
    """Look at how a model gives its own folder back.

    Args:
        networks: the weights for use.
        pictures: of the folder.
        config: phase I's settings.
        steps: how long it was trained.
    """
    shown = [reduce_for_preview(picture) for picture in spread(pictures, NUM_JUDGED)]
    reconstruct = Translator(networks, networks.reconstruct_bb, config.view).network_pixels
    pairs = [(picture, reconstruct(picture)) for picture in shown]
    contrast = mean(mean_absolute_error(_flat(picture), picture) for picture in shown)
    lost = mean(mean_absolute_error(made, picture) for picture, made in pairs) / max(contrast, 1e-6)
    figures = {"contrast_lost": round(lost, 3)}
    summary = f"it gives its folder back with {_percent(1 - lost)} of the contrast right"
    is_good = lost <= MOST_LOST
    detailed = [pair for pair in pairs if detail_size(pair[0]) >= LEAST_TO_SEE]
    if detailed:
        detail = mean(detail_correlation(made, picture) for picture, made in detailed)
        figures["detail_right"] = round(detail, 3)
        summary += f", and fine detail that agrees by {_percent(detail)}"
        is_good &= detail >= LEAST_DETAIL
    advice = []
    if not is_good:
        advice.append(f"train longer: the same command with {_twice(config, steps)}")
    if len(pictures) < FEW_PICTURES:
        advice.append(f"add pictures of the look: {len(pictures)} are few")
    return Verdict(is_good=is_good, summary=summary, advice=tuple(advice), figures=figures)


def judge_adaptation(
    networks: Networks,
    before: Networks,
    example: Image.Image,
    pictures: Pictures,
    model: PretrainConfig,
    config: AdaptConfig,
    steps: int,
    finish: Finish,
    *,
    num_pictures: int,
) -> Verdict:
    """Look at the example's translation: has it moved to the folder, and is it whole and clean.

    Args:
        networks: the weights for use.
        before: the model that phase II began with; where D_B pulls, it has changed B's layers too.
        example: RGB.
        pictures: of B, or pieces of such.
        model: phase I's settings.
        config: phase II's settings.
        steps: how long it was trained.
        finish: PHOTO or NETWORK, as a user gets it. Strokes and maps are noise to a measure, so
            only a photo finish is judged by noise and detail.
        num_pictures: in the model's folder; 0 if that is not known.
    """
    source = reduce_for_preview(example)
    made, unadapted = (
        Translator(owner, path, model.view, finish=finish).translate(source)
        for owner, path in ((networks, networks.translate_ab), (before, before.reconstruct_bb))
    )
    folder = torch.stack([_fitted(one) for one in spread(pictures, NUM_HELD_AGAINST)])
    alike = most_alike(folder, _fitted(source)[None], config.share_alike)
    distance = gram_distance if config.weights.weight_gram_ab else patch_distance
    way = max(_distance(source, alike, distance), 1e-6)
    moved, moved_unadapted = (
        1 - _distance(one, alike, distance) / way for one in (made, unadapted)
    )
    figures = {"moved": round(moved, 3), "moved_unadapted": round(moved_unadapted, 3)}
    summary = (
        f"the example has moved {_percent(moved)} of the way to the folder's colours and textures"
        if moved > 0
        else "the example has not moved towards the folder's colours and textures"
    )
    advice = []
    longer = f"adapt longer: the same command with {_twice(config, steps)}"
    if moved < LEAST_MOVED:
        advice += [
            f"{longer}, or an example that differs more from the folder",
            OTHER_LOOK[model.look],
        ]
    elif moved <= moved_unadapted:
        summary += f", {_percent(moved_unadapted)} before it was adapted"
        advice.append(longer)
    if finish is Finish.PHOTO and min(source.size) >= WINDOW:
        kept = detail_correlation(made, source)
        noise = artefacts(made, source) / max(artefacts(source, source), LEAST_GRAIN)
        figures |= {"detail_kept": round(kept, 3), "noise": round(noise, 3)}
        summary += f", with {_percent(kept)} of its detail in place and {noise:.1f} × its grain"
        if kept < LEAST_KEPT or noise > MOST_NOISE:
            advice.append("train the model longer: ost pretrain with more --steps")
    if advice and 0 < num_pictures < FEW_PICTURES:
        advice.append(f"add pictures to the model's folder, and pretrain: {num_pictures} are few")
    return Verdict(is_good=not advice, summary=summary, advice=tuple(advice), figures=figures)


def _flat(picture: Image.Image) -> Image.Image:
    """Return a picture of the mean colour."""
    return picture.resize((1, 1), Image.Resampling.BOX).resize(picture.size)


def _fitted(picture: Image.Image) -> Tensor:
    """Return a picture at the size at which patches are compared. Shape (3, H, W)."""
    return image_to_tensor(ImageOps.fit(picture, FITTED))


def _distance(
    picture: Image.Image,
    target: Tensor,
    distance: Callable[[Tensor, Tensor, torch.Generator], Tensor],
) -> float:
    """Return the distance of a picture to others, (N, 3, H, W), the same at each call."""
    return float(distance(_fitted(picture)[None], target, torch.Generator().manual_seed(0)))


def _twice(config: PretrainConfig | AdaptConfig, steps: int) -> str:
    """Return the options of twice the budget, in its own unit."""
    if config.minutes is not None:
        return f"--minutes {2 * config.minutes:g}"
    return f"--steps {2 * steps}"


def _percent(share: float) -> str:
    return f"{100 * max(0.0, share):.0f} %"
