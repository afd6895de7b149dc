"""The detector: a map of how likely each cell is the middle of an object of each class, and the box around each cell.

After CenterNet (Zhou et al., "Objects as Points", 2019): a peak of the map is a detection, so nothing has to be
suppressed afterwards and the whole is one program of fixed shapes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 4
"""Pixels of a cell's edge."""
DETECTIONS = 32
"""Most of a scene."""
RARE = -4.0
"""Logit at the start: middles are rare."""


class DetectorNetwork(nn.Module):
    """Maps of middles and of boxes.

    Args:
        classes: How many there are.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_block(3, 16, 2), _block(16, 32, 2), _block(32, 32))
        self.second = nn.Sequential(_block(32, 64, 2), _block(64, 64))
        self.third = nn.Sequential(_block(64, 96, 2), _block(96, 96), nn.Conv2d(96, 64, 1))
        self.narrow = nn.Conv2d(64, 32, 1)
        self.join = _block(32, 48)
        self.heat = nn.Conv2d(48, classes, 1)
        self.sides = nn.Conv2d(48, 4, 1)
        nn.init.constant_(self.heat.bias, RARE)  # type: ignore[arg-type]  # it has one

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of (scenes, classes, rows, columns) and sides of (scenes, 4, rows, columns).

        A side is the distance from the middle of the cell to the left, top, right and bottom of the box, as a share of
        the scene's edge.
        """
        scaled = pixels.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1
        first = self.first(scaled)
        second = self.second(first)
        second = second + functional.interpolate(self.third(second), scale_factor=2.0, mode="nearest")
        wide = functional.interpolate(self.narrow(second), scale_factor=2.0, mode="nearest")
        joined = self.join(first + wide)
        return self.heat(joined), functional.softplus(self.sides(joined)) / 4


class ServedDetector(nn.Module):
    """Detections of scenes; this is what is registered.

    Args:
        network: The maps.
        scale: Of the logit, so that confidence is the share of such detections that is right.
        shift: Of the scaled logit.
    """

    def __init__(self, network: DetectorNetwork, scale: float = 1.0, shift: float = 0.0) -> None:
        super().__init__()
        self.network = network
        self.scale = scale
        self.shift = shift

    def forward(self, pixels: Tensor) -> Tensor:
        """Return (scenes, 32, 6): left, top, right and bottom as shares of the edge, class, confidence."""
        heat, sides = self.network(pixels)
        rows, columns = heat.shape[2], heat.shape[3]
        best, classes = heat.max(dim=1)
        peaks = functional.max_pool2d(best[:, None], 3, stride=1, padding=1)[:, 0] == best
        lowest = torch.full_like(best, -30.0)
        logits, cells = torch.where(peaks, best, lowest).flatten(1).topk(DETECTIONS, dim=1)
        across = ((cells % columns).to(torch.float32) + 0.5) / columns
        down = (torch.div(cells, columns, rounding_mode="floor").to(torch.float32) + 0.5) / rows
        found = sides.flatten(2).gather(2, cells[:, None].expand(-1, 4, -1))
        kinds = classes.flatten(1).gather(1, cells).to(torch.float32)
        corners = (across - found[:, 0], down - found[:, 1], across + found[:, 2], down + found[:, 3])
        boxes = torch.stack(corners, dim=2).clamp(0.0, 1.0)
        confidence = torch.sigmoid(logits * self.scale + self.shift)
        return torch.cat((boxes, kinds[..., None], confidence[..., None]), dim=2)


def _block(inner: int, outer: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()
    )
