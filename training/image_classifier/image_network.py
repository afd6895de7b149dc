"""The network: small convolutions down to 4 x 4, then one layer."""

import torch
from torch import Tensor, nn

SMALLEST = 4
"""Edge at which the convolutions end."""
FIRST, WIDEST = 32, 128
"""Channels of the first block, and most of any."""


class ImageNetwork(nn.Module):
    """Logits of images.

    Args:
        size: Edge of an image: 8 or more, a power of two.
        channels: 1 or 3.
        classes: How many there are.
    """

    def __init__(self, size: int, channels: int, classes: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        inner, edge, width = channels, size, FIRST
        while edge > SMALLEST:
            blocks += [_block(inner, width), _block(width, width), nn.MaxPool2d(2)]
            inner, edge, width = width, edge // 2, min(WIDEST, 2 * width)
        self.body = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(inner * edge * edge, classes))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return (images, classes) for bytes of (images, height, width, channels)."""
        scaled: Tensor = pixels.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1
        logits: Tensor = self.head(self.body(scaled))
        return logits


class ServedNetwork(nn.Module):
    """Calibrated probabilities of images; this is what is registered."""

    def __init__(self, network: ImageNetwork, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, pixels: Tensor) -> Tensor:
        """Return (images, classes) for bytes of (images, height, width, channels)."""
        return torch.softmax(self.network(pixels) / self.temperature, dim=1)


def _block(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inner, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU())
