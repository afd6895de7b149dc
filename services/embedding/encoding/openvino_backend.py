"""OpenVINO, on processors."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from services.embedding.encoding.backend import Features, Vectors, unit
from services.embedding.encoding.fixed_graph import FixedGraph
from services.embedding.encoding.names import BackendName
from services.embedding.encoding.openvino_runtime import CPU, computes_bf16, core, ov
from services.embedding.encoding.shapes import Shapes

ALONE_TOKENS = 64
"""Tokens of a batch, padding included, up to which one thread may compute it: of a small model several cost more
processor time than they save, and other work waits for it."""
FIXED_WIDTH = 24
"""Tokens up to which a text is computed by a graph of its own length, on one thread. A graph of any length works out
the shapes of all its tensors anew when the length is another than the last one, which takes as long as a query."""
FIXED_TEXTS = 3
"""Texts of a batch up to which one after the other is faster than all at once."""
FIXED_BYTES = 128 * 2**20
"""Weights of a graph up to which there is one for each length: each has a copy of them, and in a large model the shapes
are a small part."""
SLOWER = 1.5
"""How many times as long one thread may take."""
TRIED_TOKENS = 24
TRIES = 5


class OpenVinoBackend:
    """A graph, compiled for this processor.

    Args:
        graph: Its file.
        name: Says the precision; what int8 leaves over is computed in bf16 where the processor has it.
        threads: Threads of one batch.
    """

    shapes = Shapes(step=8, few=True)
    """A query of a dozen tokens is not padded by a third, as it would be with a step of 16."""

    def __init__(self, graph: Path, name: BackendName, *, threads: int) -> None:
        self.name = name
        self._core = core()
        self._model = self._core.read_model(graph)
        self._number = "bf16" if name != "openvino-fp32" and computes_bf16() else "f32"
        self._together = self._request(self._model, threads)
        self._inputs = [port.any_name for port in self._together.model_inputs]
        self._alone = self._together
        if threads > 1:
            alone = self._request(self._model, 1)
            if self._seconds(alone) <= SLOWER * self._seconds(self._together):
                self._alone = alone
        weights = sum(file.stat().st_size for file in graph.parent.iterdir() if file.is_file())
        self._fixed_width = FIXED_WIDTH if weights <= FIXED_BYTES else 0
        self._fixed: dict[int, FixedGraph] = {}

    def forward(self, features: Features) -> Vectors:
        """Compute one batch; the first one of a short length compiles the graph for it."""
        texts, width = features[self._inputs[0]].shape
        if width <= self._fixed_width and texts <= FIXED_TEXTS:
            return self._fixed_graph(width).forward(features)
        given = {name: features[name] for name in self._inputs}
        request = self._alone if texts * width <= ALONE_TOKENS else self._together
        request.infer(given, share_inputs=True)
        return unit(request.get_output_tensor(0).data)

    def _fixed_graph(self, width: int) -> FixedGraph:
        found = self._fixed.get(width)
        if found is None:
            model = self._model.clone()
            model.reshape(dict.fromkeys(self._inputs, (1, width)))
            found = self._fixed[width] = FixedGraph(self._request(model, 1), self._inputs, width)
        return found

    def _request(self, model: Any, threads: int) -> ov.InferRequest:  # noqa: ANN401 - openvino is not typed here
        options = {
            "INFERENCE_PRECISION_HINT": self._number,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            # Fused differently in a graph of one length, tensors are rounded elsewhere: a text would have two vectors.
            "SNIPPETS_MODE": "DISABLE",
        }
        return self._core.compile_model(model, CPU, options).create_infer_request()

    def _seconds(self, request: ov.InferRequest) -> float:
        """Return how long a query takes, at best."""
        given = {name: np.full((1, TRIED_TOKENS), name == "attention_mask", np.int64) for name in self._inputs}
        request.infer(given, share_inputs=True)
        seconds = []
        for _ in range(TRIES):
            started = time.perf_counter()
            request.infer(given, share_inputs=True)
            seconds.append(time.perf_counter() - started)
        return min(seconds)
