"""Many small pictures on one sheet, with words beside them."""

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

PAPER, INK, FAINT = (24, 25, 28), (236, 236, 232), (150, 152, 158)


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
    big, small = ImageFont.load_default(max(16, height // 4)), ImageFont.load_default(max(11, height // 8))
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
