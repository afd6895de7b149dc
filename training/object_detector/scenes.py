"""Drawn scenes: circles, squares and triangles on an uneven ground, with the box of each."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

LABELS = ("circle", "square", "triangle")
MOST_OBJECTS = 5
SMALLEST, LARGEST = 0.12, 0.4
"""Edge of an object, as a share of the scene's."""
MOST_OVERLAP = 0.15
ATTEMPTS = 20
CONTRAST = 70
"""Least distance of an object's colour from the mean of the ground, of 442 at most."""
NOISE = 8.0

Boxes = npt.NDArray[np.float64]
"""(objects, 4): left, top, right and bottom as shares of the scene's edge."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene.

    Attributes:
        pixels: (size, size, 3).
        boxes: Of its objects.
        classes: Of its objects, as places in `LABELS`.
    """

    pixels: npt.NDArray[np.uint8]
    boxes: Boxes
    classes: npt.NDArray[np.intp]


def draw_scenes(count: int, size: int, seed: int, advance: Callable[[int], None]) -> list[Scene]:
    """Draw scenes, the same for the same seed.

    Args:
        count: How many.
        size: Their edge, in pixels.
        seed: Decides all that is drawn.
        advance: Told of each.
    """
    chance = np.random.default_rng(seed)
    scenes = []
    for _ in range(count):
        scenes.append(draw_scene(size, chance))
        advance(1)
    return scenes


def draw_scene(size: int, chance: np.random.Generator) -> Scene:
    """Draw a scene of one to five objects."""
    ground = _ground(size, chance)
    image = Image.fromarray(ground)
    boxes: list[tuple[float, float, float, float]] = []
    classes: list[int] = []
    for _ in range(int(chance.integers(1, MOST_OBJECTS + 1))):
        for _ in range(ATTEMPTS):
            kind, outline = int(chance.integers(len(LABELS))), _outline(size, chance)
            mask = _mask(size, kind, outline)
            box = mask.getbbox()
            if box is None:
                continue
            shares = tuple(side / size for side in box)
            left, top, right, bottom = shares
            placed = (left, top, right, bottom)
            if not boxes or iou(np.array([placed]), np.array(boxes)).max() <= MOST_OVERLAP:
                image.paste(_colour(ground, chance), mask=mask)
                boxes.append(placed)
                classes.append(kind)
                break
    noisy = np.asarray(image, dtype=np.float64) + chance.normal(0, NOISE, (size, size, 3))
    return Scene(noisy.clip(0, 255).astype(np.uint8), np.array(boxes), np.array(classes, dtype=np.intp))


def iou(one: Boxes, other: Boxes) -> npt.NDArray[np.float64]:
    """Return the overlap of each box with each other one: the area of both over that of either."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    both = (high - low).clip(0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1) for boxes in (one, other)]
    found: npt.NDArray[np.float64] = both / np.maximum(areas[0][:, None] + areas[1][None, :] - both, 1e-12)
    return found


def digest(scenes: list[Scene]) -> str:
    """Return the SHA-256 of scenes with their boxes."""
    found = hashlib.sha256()
    for scene in scenes:
        for part in (scene.pixels, scene.boxes, scene.classes.astype(np.int64)):
            found.update(np.ascontiguousarray(part).tobytes())
    return found.hexdigest()


def _ground(size: int, chance: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return a gradient from one colour to another."""
    colours = chance.integers(0, 256, (2, 3)).astype(np.float64)
    angle = chance.uniform(0, 2 * math.pi)
    across, down = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size))
    along = (across - 0.5) * math.cos(angle) + (down - 0.5) * math.sin(angle) + 0.5
    mixed = colours[0] + (colours[1] - colours[0]) * along.clip(0, 1)[..., None]
    return np.asarray(mixed, dtype=np.uint8)


def _outline(size: int, chance: np.random.Generator) -> tuple[float, float, float, float]:
    """Return the middle, half the edge and the turn of an object that lies within the scene."""
    half = chance.uniform(SMALLEST, LARGEST) * size / 2
    across, down = chance.uniform(half, size - half, 2)
    return float(across), float(down), float(half), float(chance.uniform(-0.5, 0.5))


def _mask(size: int, kind: int, outline: tuple[float, float, float, float]) -> Image.Image:
    across, down, half, turn = outline
    mask = Image.new("L", (size, size))
    drawing = ImageDraw.Draw(mask)
    if LABELS[kind] == "circle":
        drawing.ellipse((across - half, down - half, across + half, down + half), fill=255)
        return mask
    corners = 4 if LABELS[kind] == "square" else 3
    start = turn + (math.pi / 4 if corners == 4 else -math.pi / 2)  # noqa: PLR2004 (of a square)
    angles = [start + 2 * math.pi * corner / corners for corner in range(corners)]
    drawing.polygon([(across + half * math.cos(angle), down + half * math.sin(angle)) for angle in angles], fill=255)
    return mask


def _colour(ground: npt.NDArray[np.uint8], chance: np.random.Generator) -> tuple[int, int, int]:
    mean = ground.mean(axis=(0, 1))
    while True:
        red, green, blue = (int(part) for part in chance.integers(0, 256, 3))
        if np.linalg.norm(mean - (red, green, blue)) >= CONTRAST:
            return red, green, blue
