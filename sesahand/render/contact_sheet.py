"""Many small pictures on one sheet, with words beside them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..errors import SesaHandError
from .lettering import load_font

PAPER, INK, FAINT = (24, 25, 28), (236, 236, 232), (150, 152, 158)
# Letters under a picture, as a part of its shorter side, and at least this many pixels.
CAPTION_SIZE, LEAST_CAPTION = 1 / 16, 12
MAX_SHEET = 1 << 27
# Letters of a line are drawn and measured one by one; more than these of one picture or of the title cannot be read.
LONGEST_WORDS = 2000


def to_pil(picture: Tensor) -> Image.Image:
    """Turn a picture `[H, W, 3]` or a mask `[H, W]` of 0..1 into an 8-bit PIL image."""
    levels = (picture.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return Image.fromarray(levels)


def contact_sheet(
    rows: Sequence[tuple[str, Sequence[Image.Image]]],
    columns: Sequence[str],
    title: str,
    note: str = "",
    blocks: int = 1,
    gap: int = 4,
) -> Image.Image:
    """Lay out labelled rows of pictures of one size under column heads.

    Args:
        rows: For each row its label, of one line or several, and its pictures, as many as there are `columns`.
        columns: Heads of the columns.
        title: First line of the sheet.
        note: Smaller line under it.
        blocks: Side by side into how many blocks the rows are broken.
        gap: Pixels between pictures.

    Returns:
        The sheet, RGB.
    """
    width, height = rows[0][1][0].size
    big, small = load_font(max(16, height // 4)), load_font(max(11, height // 8))
    margin = 4 * gap
    label_width = int(max(small.getlength(line) for label, _ in rows for line in label.split("\n"))) + 3 * gap
    block_width = label_width + len(columns) * (width + gap)
    top = margin + int(1.5 * big.size) + (int(1.6 * small.size) if note else 0) + int(2.2 * small.size)
    deep = -(-len(rows) // blocks)
    sheet = Image.new(
        "RGB", (2 * margin + blocks * block_width + (blocks - 1) * margin, top + deep * (height + gap) + margin), PAPER
    )
    draw = ImageDraw.Draw(sheet)
    draw.text((margin, margin), title, INK, big)
    draw.text((margin, margin + 1.5 * big.size), note, FAINT, small)
    for block in range(blocks):
        left = margin + block * (block_width + margin) + label_width
        for column, head in enumerate(columns):
            draw.text((left + column * (width + gap) + width / 2, top - gap), head, FAINT, small, anchor="md")
        for row, (label, pictures) in enumerate(rows[block * deep : (block + 1) * deep]):
            y = top + row * (height + gap)
            draw.text((left - 3 * gap, y + height / 2), label, INK, small, anchor="rm", align="right")
            for column, picture in enumerate(pictures):
                sheet.paste(picture, (left + column * (width + gap), y))
    return sheet


def captioned_pictures(
    pictures: Tensor,
    captions: Sequence[str] = (),
    columns: int = 0,
    title: str = "",
    gap: int = 8,
    on_picture: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Lay out pictures from left to right and from top to bottom, with words under each.

    Args:
        pictures: `[B, H, W, C]` of 0..1 with 1, 3 or 4 channels, of which the fourth does not count.
        captions: For each picture its words, of one line or several; longer ones are broken. None at all for none.
        columns: Pictures side by side; 0 puts all of them into one row.
        title: Larger line over the sheet.
        gap: Pixels between pictures.
        on_picture: Called after each picture with how many are done and how many there are.

    Returns:
        The sheet `[1, H', W', 3]`, float32, 0..1.

    Raises:
        SesaHandError: If there are no pictures, not as many captions, or the sheet would be too large.
    """
    if pictures.ndim != 4 or not len(pictures) or pictures.shape[-1] not in (1, 3, 4):
        raise SesaHandError(f"The pictures have the shape {list(pictures.shape)}, expected [pictures, H, W, 3].")
    if captions and len(captions) != len(pictures):
        raise SesaHandError(f"There are {len(captions)} captions for {len(pictures)} pictures, expected one for each.")
    longest = max(map(len, (title, *captions)))
    if longest > LONGEST_WORDS:
        raise SesaHandError(
            f"A title or a label has {longest} letters, more than the {LONGEST_WORDS} that can be read; shorten it."
        )
    count, height, width = pictures.shape[:3]
    columns = min(columns or count, count)
    small = load_font(max(LEAST_CAPTION, round(min(height, width) * CAPTION_SIZE)))
    big = load_font(round(1.5 * small.size))
    broken = [break_lines(caption, small, width) for caption in captions or [""] * count]
    step = round(1.4 * small.size)
    deep = height + step * max(map(len, broken)) + gap
    top = 2 * gap + (round(1.5 * big.size) if title else 0)
    size = (2 * gap + columns * (width + gap) - gap, top + -(-count // columns) * (deep + gap))
    if size[0] * size[1] > MAX_SHEET:
        raise SesaHandError(f"{count} pictures of {width}x{height} pixels are too many for one sheet; take fewer.")
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((gap, gap), title, INK, big)
    for number, (picture, lines) in enumerate(zip(pictures, broken, strict=True)):
        x, y = gap + number % columns * (width + gap), top + number // columns * (deep + gap)
        shown = torch.nan_to_num(picture.detach().float())[..., :3].expand(-1, -1, 3)
        sheet.paste(to_pil(shown), (x, y))
        for row, line in enumerate(lines):
            draw.text((x + width / 2, y + height + gap + row * step), line, INK, small, anchor="ma")
        if on_picture is not None:
            on_picture(number + 1, count)
    return torch.from_numpy(np.array(sheet)).float()[None] / 255


def break_lines(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break a text between words into lines that are not wider than `width` pixels; a longer word stays whole."""
    lines = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines
