"""The size of a picture to be made, and hands of another picture seen in it."""

import math
from dataclasses import replace

from ..errors import SesaHandError
from ..scene.hand_scene import HandScene

LARGEST_SIDE = 4096
# Part of a picture that may be cut off so that another shape is filled.
MOST_CUT = 0.05
# Area of a picture as a share of the native one. Sides of a small model are coarse: less room would leave some
# proportions out.
LEAST_AREA, MOST_AREA = 0.6, 2.0


def size_for(shape: tuple[int, int], native: int, multiple: int) -> tuple[int, int]:
    """The width and height that a model is at home with, in the proportions of another picture as nearly as it can.

    Args:
        shape: Width and height of the other picture, pixels.
        native: Width and height of the pictures that the model was trained on.
        multiple: Sides are whole multiples of this.
    """
    scale = native / math.sqrt(shape[0] * shape[1])
    fits = [side for side in range(multiple, 4 * native + 1, multiple)]
    pairs = [
        (width, height) for width in fits for height in fits if LEAST_AREA <= width * height / native**2 <= MOST_AREA
    ]
    ratio, area = shape[0] / shape[1], native**2

    def misfit(size: tuple[int, int]) -> tuple[float, float]:
        width, height = size
        cut = abs(math.log(width / height / ratio))
        # Proportions count most, then the area; multiples are coarse for small models.
        return round(max(cut - MOST_CUT, 0), 3), abs(math.log(width * height / area)) + cut

    exact = round(shape[0] * scale), round(shape[1] * scale)
    return min(pairs, key=misfit) if exact not in pairs else exact


def check_size(size: tuple[int, int], multiple: int, name: str) -> None:
    """Raise a SesaHandError unless a model makes pictures of a width and height."""
    if all(side % multiple == 0 and 0 < side <= LARGEST_SIDE for side in size):
        return
    near = tuple(min(max(multiple, round(side / multiple) * multiple), LARGEST_SIDE) for side in size)
    raise SesaHandError(
        f"{name} makes pictures whose sides are whole multiples of {multiple} pixels up to {LARGEST_SIDE}, got "
        f"{size[0]}x{size[1]}; choose {near[0]}x{near[1]}, for example."
    )


def see_at(scene: HandScene, width: int, height: int) -> HandScene:
    """Return the hands as they are seen in a picture of another size, whose middle is that of their own.

    Other proportions are filled: what sticks out on two sides is cut off.

    Raises:
        SesaHandError: If more than a tenth of the picture would be cut off.
    """
    camera = scene.camera
    scale = max(width / camera.width, height / camera.height)
    cut = 1 - width * height / (scale**2 * camera.width * camera.height)
    if cut > 2 * MOST_CUT:
        raise SesaHandError(
            f"The hands are in a picture of {camera.width}x{camera.height} pixels, of which {100 * cut:.0f} % would be "
            f"cut off at {width}x{height}. Choose a size of nearly the same proportions, or leave it out."
        )
    x, y = camera.principal_point
    centre = (width / 2 + scale * (x - camera.width / 2), height / 2 + scale * (y - camera.height / 2))
    seen = replace(camera, focal_length=camera.focal_length * scale, principal_point=centre, width=width, height=height)
    return replace(scene, camera=seen)
