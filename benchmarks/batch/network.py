"""The network that classifies images, as `training/image_classifier` makes them."""

import torch

EDGE, CHANNELS, CLASSES = 32, 3, 10
WIDTHS = (32, 64, 128)
SEED = 1


class Network(torch.nn.Module):
    """Probabilities of bytes of (images, height, width, channels)."""

    def __init__(self) -> None:
        super().__init__()
        parts: list[torch.nn.Module] = []
        inner, edge = CHANNELS, EDGE
        for width in WIDTHS:
            parts += [*_convolution(inner, width), *_convolution(width, width), torch.nn.MaxPool2d(2)]
            inner, edge = width, edge // 2
        self.body = torch.nn.Sequential(*parts, torch.nn.Flatten(), torch.nn.Linear(inner * edge * edge, CLASSES))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return probabilities."""
        return torch.softmax(self.body(pixels.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1), dim=1)


def make_network() -> Network:
    """Return the network that everybody runs."""
    torch.manual_seed(SEED)
    return Network().eval()


def _convolution(inner: int, outer: int) -> list[torch.nn.Module]:
    return [
        torch.nn.Conv2d(inner, outer, 3, padding=1, bias=False),
        torch.nn.BatchNorm2d(outer),
        torch.nn.ReLU(),
    ]
