"""The picture of a set's histograms: bars for what is there, a line for what the target wants."""

from PIL import Image, ImageDraw

from ..render.lettering import load_font
from .coverage import Coverage, Target, bins

WIDTH, ROW, LABEL, MARGIN = 560, 20, 150, 16
COLUMNS = 2
BAR, WANTED, TEXT, GROUND, FAINT = (92, 148, 214), (240, 170, 60), (235, 235, 235), (28, 30, 34), (150, 150, 150)


def draw_coverage(coverage: Coverage, target: Target) -> Image.Image:
    """Draw the histograms of a set against a target, one under the other in two columns."""
    kinds = list(bins())
    heights = {kind: (len(bins()[kind]) + 2) * ROW for kind in kinds}
    columns: list[list[str]] = [[] for _ in range(COLUMNS)]
    for kind in kinds:
        min(columns, key=lambda column: sum(heights[each] for each in column)).append(kind)
    height = max(sum(heights[kind] for kind in column) for column in columns) + 2 * MARGIN + 2 * ROW
    picture = Image.new("RGB", (COLUMNS * WIDTH, height), GROUND)
    draw, font = ImageDraw.Draw(picture), load_font(13)
    head = f"{coverage.hands} hands; bars: the set; lines: the target {target.name}"
    draw.text((MARGIN, MARGIN), head, TEXT, font)
    for number, column in enumerate(columns):
        top = MARGIN + 2 * ROW
        for kind in column:
            _draw_kind(draw, font, coverage, target, kind, number * WIDTH + MARGIN, top)
            top += heights[kind]
    return picture


def _draw_kind(draw, font, coverage: Coverage, target: Target, kind: str, left: int, top: int) -> None:
    shares, wanted = coverage.shares(kind), target.shares[kind]
    draw.text((left, top), f"{kind}: {coverage.distance(kind, target):.2f} in a wrong bin", TEXT, font)
    room = WIDTH - LABEL - 2 * MARGIN - 60
    most = max(*shares.values(), *wanted.values(), 1e-9)
    start = left + LABEL
    for row, name in enumerate(bins()[kind], 1):
        y = top + row * ROW
        draw.text((left, y), name.replace("_", " "), TEXT if shares[name] or wanted[name] else FAINT, font)
        if shares[name]:
            draw.rectangle((start, y + 3, start + room * shares[name] / most, y + ROW - 5), BAR)
        if wanted[name]:
            x = start + room * wanted[name] / most
            draw.line((x, y, x, y + ROW - 2), WANTED, 2)
        draw.text((start + room + 8, y), f"{100 * shares[name]:.1f} %", FAINT, font)
