"""Training of the network."""

import math
from collections.abc import Callable

import numpy as np
import torch
from mlplatform.training.calibration import Array, Indices
from mlplatform.training.failures import Diverged
from torch import Tensor, nn

from image_data import Images
from image_network import ImageNetwork
from image_program import ImageOptions

DECAY = 0.01
SMOOTHING = 0.02
MEASURED_AT_ONCE = 256


def fit(
    images: Images, train: Indices, options: ImageOptions, advance: Callable[[int], None]
) -> tuple[ImageNetwork, list[float]]:
    """Train a network; return it with the mean loss of each epoch.

    Args:
        images: All images.
        train: Places of those to train on.
        options: How.
        advance: Told of each epoch.

    Raises:
        Diverged: The loss is no number any more.
    """
    torch.manual_seed(options.seed)
    _, size, _, channels = images.pixels.shape
    network = ImageNetwork(size, channels, len(images.labels))
    pixels, targets = torch.from_numpy(images.pixels[train]), torch.from_numpy(images.targets[train])
    counts = torch.bincount(targets, minlength=len(images.labels)).float()
    loss_of = nn.CrossEntropyLoss(weight=(counts.mean() / counts).sqrt(), label_smoothing=SMOOTHING)
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=DECAY)
    steps = options.epochs * math.ceil(len(train) / options.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    losses = []
    network.train()
    for epoch in range(1, options.epochs + 1):
        total = 0.0
        for batch in torch.randperm(len(train)).split(options.batch_size):
            loss = loss_of(network(_shifted(pixels[batch])), targets[batch])
            value = float(loss.detach())
            if not math.isfinite(value):
                raise Diverged(f"the loss of epoch {epoch} is no number: take a smaller --learning-rate")
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += value * len(batch)
        losses.append(total / len(train))
        advance(1)
    return network.eval(), losses


def logits_of(network: ImageNetwork, images: Images, places: Indices) -> Array:
    """Return the logits of some images."""
    with torch.inference_mode():
        parts = [network(part) for part in torch.from_numpy(images.pixels[places]).split(MEASURED_AT_ONCE)]
    return torch.cat(parts).numpy().astype(np.float64)


def _shifted(pixels: Tensor) -> Tensor:
    """Move a batch by at most an eighth of the edge, so that the network does not learn exact places."""
    reach = max(1, pixels.shape[1] // 8)
    down, right = (int(torch.randint(-reach, reach + 1, ()).item()) for _ in range(2))
    moved = torch.zeros_like(pixels)
    height, width = pixels.shape[1:3]
    moved[:, max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = pixels[
        :, max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)
    ]
    return moved
