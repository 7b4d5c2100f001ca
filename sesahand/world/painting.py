"""Skin, cloth and objects in soft light: from visible pixels to a picture."""

import numpy as np

from .attributes import Attributes
from .vocabulary import COLORS, SKINS

# Unit-free directions to the light: x right, y down, z away from the camera.
KEY_LIGHTS = {"left": (-0.78, -0.42, -0.5), "right": (0.78, -0.42, -0.5), "above": (0.05, -0.85, -0.55)}
KEY_COLORS = {"warm": (1.08, 0.97, 0.8), "cool": (0.86, 0.97, 1.1), "soft": (1.0, 0.99, 0.97)}
AMBIENT_COLORS = {"warm": (0.97, 0.98, 1.04), "cool": (1.03, 0.99, 0.97), "soft": (1.0, 1.0, 1.0)}
# Ambient and key strength; soft light fills the shadows.
STRENGTHS = {"warm": (0.50, 0.66), "cool": (0.50, 0.66), "soft": (0.66, 0.48)}
WRAP = 0.35
# Blinn's exponent is 2 to this power.
GLOSS_SQUARINGS = 4
SHADOW, SHADOW_BLUR, SHADOW_SHIFT = 0.26, 0.075, 0.055
OCCLUSION, OCCLUSION_REACH, OCCLUSION_DEPTH = 0.42, 0.09, 0.03


def varied(rng: np.random.Generator, rgb: tuple[int, int, int]) -> np.ndarray:
    """Return a colour `[3]` of 0..1, float32, near one of 0..255: brightness and each channel a little off."""
    return np.clip(np.array(rgb) / 255 * rng.uniform(0.95, 1.05) * rng.uniform(0.98, 1.02, 3), 0, 1).astype(np.float32)


def palette(rng: np.random.Generator, attributes: Attributes) -> dict[str, np.ndarray]:
    """Return the colours of "skin", "sleeve" and of the objects by colour word."""
    colors = {"skin": varied(rng, SKINS[attributes.skin]), "sleeve": varied(rng, COLORS[attributes.sleeve])}
    return colors | {thing.color: varied(rng, COLORS[thing.color]) for thing in attributes.things}


def draw_light(rng: np.random.Generator, attributes: Attributes) -> np.ndarray:
    """Return the unit direction to the key light `[3]`."""
    direction = np.array(KEY_LIGHTS[attributes.light]) + 0.12 * rng.standard_normal(3)
    return (direction / np.linalg.norm(direction)).astype(np.float32)


def shade(normal: np.ndarray, albedo: np.ndarray, is_skin: np.ndarray, light: np.ndarray, warmth: str) -> np.ndarray:
    """Return the colours `[P, 3]` of surface points.

    Args:
        normal: Unit normals `[P, 3]` in the camera's frame.
        albedo: `[P, 3]` in 0..1.
        is_skin: 1 for skin, 0 for cloth and objects, `[P]`.
        light: Unit direction to the key light `[3]`.
        warmth: A key of `STRENGTHS`.

    Wrapped Lambert with a reddish terminator for skin, a sky from above, Blinn's highlight and a faint rim.
    """
    ambient, key = STRENGTHS[warmth]
    lit = normal @ light
    diffuse = np.clip((lit + WRAP) / (1 + WRAP), 0, 1)
    sky = ambient * (0.88 - 0.2 * normal[:, 1])
    terminator = is_skin * 0.22 * diffuse * (1 - diffuse)
    half = light + np.array([0, 0, -1], np.float32)
    gloss = np.clip(normal @ (half / np.linalg.norm(half)), 0, 1)
    for _ in range(GLOSS_SQUARINGS):
        gloss = gloss * gloss
    rim = np.clip(1 + normal[:, 2], 0, 1)
    rim = rim * rim * rim
    energy = sky[:, None] * np.array(AMBIENT_COLORS[warmth], np.float32)
    energy = energy + (key * diffuse)[:, None] * np.array(KEY_COLORS[warmth], np.float32)
    energy = energy + terminator[:, None] * np.array([1.0, 0.3, 0.2], np.float32)
    shine = gloss * (0.07 + 0.07 * is_skin) + 0.05 * rim
    return albedo * energy + shine[:, None] * np.array(KEY_COLORS[warmth], np.float32)


def occlusion(depth: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Return how much of the light reaches each pixel `[H, W]`: less where the surroundings are nearer.

    Args:
        depth: z in metres `[H, W]`, 0 where nothing is.
        covered: Where something is, float32 `[H, W]`.
    """
    import cv2

    reach = max(3, int(OCCLUSION_REACH * len(depth)) | 1)
    around = cv2.blur(depth, (reach, reach)) / np.maximum(cv2.blur(covered, (reach, reach)), 1e-6)
    return 1 - OCCLUSION * np.clip((depth - around) / OCCLUSION_DEPTH, 0, 1) * covered


def cast_shadow(picture: np.ndarray, covered: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Return a background with the soft shadow of what covers it, away from the light.

    Args:
        picture: The background, `[S, S, 3]` in 0..1.
        covered: How much of each pixel is covered, float32 `[S, S]` in 0..1.
        light: Unit direction to the key light `[3]`.

    Returns:
        `[S, S, 3]` in 0..1.
    """
    import cv2

    size = len(covered)
    quarter = cv2.resize(covered, (size // 4, size // 4), interpolation=cv2.INTER_AREA)
    shift = -light[:2] * SHADOW_SHIFT * len(quarter) / max(np.abs(light[:2]).max(), 0.3)
    moved = cv2.warpAffine(quarter, np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), quarter.shape)
    blurred = cv2.GaussianBlur(moved, (0, 0), SHADOW_BLUR * len(quarter))
    soft = cv2.resize(blurred, (size, size), interpolation=cv2.INTER_LINEAR)
    return picture * (1 - SHADOW * soft)[..., None]
