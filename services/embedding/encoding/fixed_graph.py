"""A graph for texts of one length, which has no shapes to work out."""

from collections.abc import Sequence

import numpy as np

from services.embedding.encoding.backend import Features, Vectors, unit
from services.embedding.encoding.openvino_runtime import ov


class FixedGraph:
    """Computes one text after the other, in tensors that it keeps: handing it new ones costs more than to fill these.

    Args:
        request: Of the graph, compiled for one text.
        inputs: What the graph reads.
        width: Tokens of a text, padding included.
    """

    def __init__(self, request: ov.InferRequest, inputs: Sequence[str], width: int) -> None:
        self._request = request
        self._given = {name: np.zeros((1, width), dtype=np.int64) for name in inputs}
        for name, array in self._given.items():
            request.set_tensor(name, ov.Tensor(array, shared_memory=True))
        self._made = request.get_output_tensor(0).data

    def forward(self, features: Features) -> Vectors:
        """Compute texts of this width."""
        texts = len(next(iter(features.values())))
        if texts == 1:
            return self._one(features, 0)
        return np.concatenate([self._one(features, row) for row in range(texts)])

    def _one(self, features: Features, row: int) -> Vectors:
        for name, array in self._given.items():
            array[0] = features[name][row]
        self._request.infer(share_outputs=True)
        return unit(self._made)
