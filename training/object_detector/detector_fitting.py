"""Training of the detector."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from mlplatform.training.failures import Diverged
from torch import Tensor

from detector_network import STRIDE, DetectorNetwork, ServedDetector
from scene_program import SceneOptions
from scenes import LABELS, Scene

DECAY = 0.01
SPREAD = 0.1
"""Of the bump around a middle, as a share of the box."""
NARROWEST = 0.6
"""Of the bump, in cells."""
NEAR = 0.5
"""Height of the bump from which on a cell learns the box."""
BOXES = 12.0
"""Weight of the boxes against the middles."""
LARGEST_GRADIENT = 5.0
AT_ONCE = 64


def fit(
    scenes: Sequence[Scene], options: SceneOptions, advance: Callable[[int], None]
) -> tuple[DetectorNetwork, list[float]]:
    """Train a detector; return it with the mean loss of each epoch.

    Args:
        scenes: To train on.
        options: How.
        advance: Told of each epoch.

    Raises:
        Diverged: The loss is no number any more.
    """
    torch.manual_seed(options.seed)
    network = DetectorNetwork(len(LABELS))
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=DECAY)
    steps = options.epochs * math.ceil(len(scenes) / options.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    pixels = torch.from_numpy(np.stack([scene.pixels for scene in scenes]))
    heats, sides, nears = (torch.stack(part) for part in zip(*map(targets_of, scenes), strict=True))
    losses = []
    network.train()
    for epoch in range(1, options.epochs + 1):
        total = 0.0
        for batch in torch.randperm(len(scenes)).split(options.batch_size):
            loss = loss_of(*network(pixels[batch]), heats[batch], sides[batch], nears[batch])
            value = float(loss.detach())
            if not math.isfinite(value):
                raise Diverged(f"the loss of epoch {epoch} is no number: take a smaller --learning-rate")
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
            optimiser.step()
            schedule.step()
            total += value * len(batch)
        losses.append(total / len(scenes))
        advance(1)
    return network.eval(), losses


def targets_of(scene: Scene) -> tuple[Tensor, Tensor, Tensor]:
    """Return what the maps should be: bumps around middles, sides of boxes, and where the sides are learned."""
    cells = scene.pixels.shape[0] // STRIDE
    heat = np.zeros((len(LABELS), cells, cells), dtype=np.float32)
    sides = np.zeros((4, cells, cells), dtype=np.float32)
    nearest = np.zeros((cells, cells), dtype=np.float32)
    down, across = np.mgrid[:cells, :cells]
    for (left, top, right, bottom), kind in zip(scene.boxes * cells, scene.classes, strict=True):
        column, row = (min(cells - 1, int((low + high) / 2)) for low, high in ((left, right), (top, bottom)))
        width, height = (max(NARROWEST, SPREAD * edge) for edge in (right - left, bottom - top))
        bump = np.exp(-(((across - column) / width) ** 2 + ((down - row) / height) ** 2) / 2)
        heat[kind] = np.maximum(heat[kind], bump)
        here = (bump >= NEAR) & (bump > nearest)
        nearest[here] = bump[here]
        distances = (across + 0.5 - left, down + 0.5 - top, right - across - 0.5, bottom - down - 0.5)
        for side, distance in enumerate(distances):
            sides[side][here] = distance[here] / cells
    return torch.from_numpy(heat), torch.from_numpy(sides), torch.from_numpy(nearest > 0)


def loss_of(heat: Tensor, sides: Tensor, wanted: Tensor, boxes: Tensor, near: Tensor) -> Tensor:
    """Return the focal loss of the middles (CenterNet, equation 1) and the distance of the sides.

    Args:
        heat: Logits.
        sides: Distances.
        wanted: Bumps of height one.
        boxes: What the distances should be.
        near: Where they are learned.
    """
    likely = torch.sigmoid(heat)
    middle = (wanted >= 1).float()
    hit = -((1 - likely) ** 2) * torch.nn.functional.logsigmoid(heat) * middle
    miss = -((1 - wanted) ** 4) * likely**2 * torch.nn.functional.logsigmoid(-heat) * (1 - middle)
    focal = (hit + miss).sum() / middle.sum().clamp(min=1)
    mask = near[:, None].expand_as(sides)
    return focal + BOXES * (sides - boxes)[mask].abs().mean()


def detect(served: ServedDetector, scenes: Sequence[Scene]) -> np.ndarray:
    """Return (scenes, detections, 6)."""
    pixels = torch.from_numpy(np.stack([scene.pixels for scene in scenes]))
    with torch.inference_mode():
        return torch.cat([served(part) for part in pixels.split(AT_ONCE)]).numpy().astype(np.float64)
