"""A contact sheet: pictures in rows and columns, labelled, on a light page."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from PIL import Image, ImageDraw, ImageFont

_PAPER = (250, 250, 248)
_BLANK = (240, 240, 237)
_INK = (28, 28, 30)
_FAINT_INK = (96, 96, 100)

MOST_PREVIEW_PIXELS = 256 * 256
"""Of each picture in a preview: it is looked at small, and must not cost more than training."""

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def contact_sheet(
    rows: Sequence[Sequence[Image.Image | None]],
    *,
    columns: Sequence[str],
    row_labels: Sequence[str] = (),
    title: str = "",
    tile: int = 192,
    widest_label: int | None = None,
) -> Image.Image:
    """Lay pictures out in a labelled grid.

    Args:
        rows: the pictures; None, and the end of a short row, leave a blank.
        columns: a heading for each column.
        row_labels: a label at the left of each row; none for no such margin.
        title: a line above all; empty for none.
        tile: pixels of the square into which each picture is fitted.
        widest_label: pixels that a label may take; as many as a tile if None.

    Returns:
        Mode RGB.
    """
    layout = _Layout.measure(rows, columns, row_labels, title, tile, widest_label or tile)
    page = Image.new("RGB", layout.size, _PAPER)
    draw = ImageDraw.Draw(page)
    left, top = layout.first_tile
    if title:
        text = _shortened(title, layout.title_font, layout.size[0] - 2 * layout.margin)
        draw.text((layout.margin, layout.margin), text, _INK, layout.title_font, anchor="lt")
    for index, heading in enumerate(columns):
        text = _shortened(heading, layout.font, tile)
        centre = left + index * layout.pitch + tile // 2
        draw.text((centre, top - layout.gap), text, _INK, layout.font, anchor="ms")
    for index, label in enumerate(row_labels[: len(rows)]):
        text = _shortened(label, layout.font, layout.label_width)
        middle = top + index * layout.pitch + tile // 2
        draw.text((left - layout.gap, middle), text, _FAINT_INK, layout.font, anchor="rm")
    for row, pictures in enumerate(rows):
        for column in range(layout.num_columns):
            corner = (left + column * layout.pitch, top + row * layout.pitch)
            _place(page, pictures[column] if column < len(pictures) else None, corner, tile)
    return page


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Where things go on a page; all lengths in pixels, sizes and corners as (x, y)."""

    size: tuple[int, int]
    first_tile: tuple[int, int]
    num_columns: int
    margin: int
    gap: int
    """Between tiles, and between a label and its tile."""
    pitch: int
    """From one tile to the next."""
    label_width: int
    font: _Font
    title_font: _Font

    @classmethod
    def measure(
        cls,
        rows: Sequence[Sequence[Image.Image | None]],
        columns: Sequence[str],
        row_labels: Sequence[str],
        title: str,
        tile: int,
        widest_label: int,
    ) -> "_Layout":
        margin, gap = max(12, tile // 8), max(4, tile // 16)
        text_height, title_height = max(11, tile // 13), max(14, tile // 9)
        font, title_font = ImageFont.load_default(text_height), ImageFont.load_default(title_height)
        num_columns = max([len(columns), *(len(row) for row in rows)])
        widths = (ceil(font.getlength(text)) for text in row_labels)
        label_width = min(widest_label, max(widths, default=0))
        left = margin + (label_width + gap if label_width else 0)
        top = margin + (title_height + 2 * gap if title else 0)
        top += text_height + gap if any(columns) else 0
        pitch = tile + gap
        return cls(
            size=(
                left + num_columns * pitch - gap + margin,
                top + len(rows) * pitch - gap + margin,
            ),
            first_tile=(left, top),
            num_columns=num_columns,
            margin=margin,
            gap=gap,
            pitch=pitch,
            label_width=label_width,
            font=font,
            title_font=title_font,
        )


def _shortened(text: str, font: _Font, width: int) -> str:
    """Cut a text to one line of a width, with an ellipsis for what is gone."""
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text
    lengths = range(1, len(text))
    num_kept = bisect_right(lengths, width, key=lambda n: ceil(font.getlength(text[:n] + "…")))
    return text[:num_kept].rstrip() + "…"


def _place(
    page: Image.Image, picture: Image.Image | None, corner: tuple[int, int], tile: int
) -> None:
    """Put a picture in the middle of its tile, as large as it fits."""
    left, top = corner
    if picture is None:
        page.paste(_BLANK, (left, top, left + tile, top + tile))
        return
    scale = tile / max(picture.size)
    width, height = (max(1, round(length * scale)) for length in picture.size)
    fitted = picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    page.paste(fitted, (left + (tile - width) // 2, top + (tile - height) // 2))


def reduce_for_preview(image: Image.Image) -> Image.Image:
    """Scale a picture down to what a preview shows of it, aspect kept; small ones unchanged."""
    scale = sqrt(MOST_PREVIEW_PIXELS / (image.width * image.height))
    if scale >= 1.0:
        return image
    small = image.copy()
    small.thumbnail((ceil(image.width * scale), ceil(image.height * scale)))
    return small
