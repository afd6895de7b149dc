"""OpenVINO, on processors."""

import time
from pathlib import Path

import numpy as np

from services.embedding.encoding.backend import Features, Vectors, unit
from services.embedding.encoding.names import BackendName
from services.embedding.encoding.openvino_runtime import CPU, computes_bf16, core, ov

ALONE_TOKENS = 64
"""Tokens of a batch, padding included, up to which one thread may compute it: of a small model several cost more
processor time than they save, and other work waits for it."""
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

    step = 8
    """Few enough shapes to compile, and a query of a dozen tokens is not padded by a third, as it would be with 16."""

    def __init__(self, graph: Path, name: BackendName, *, threads: int) -> None:
        self.name = name
        reader = core()
        number = "bf16" if name != "openvino-fp32" and computes_bf16() else "f32"

        def request(workers: int) -> ov.InferRequest:
            options = {
                "INFERENCE_PRECISION_HINT": number,
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": workers,
            }
            return reader.compile_model(reader.read_model(graph), CPU, options).create_infer_request()

        self._together = request(threads)
        self._inputs = [port.any_name for port in self._together.model_inputs]
        self._alone = self._together
        if threads > 1:
            alone = request(1)
            if self._seconds(alone) <= SLOWER * self._seconds(self._together):
                self._alone = alone

    def forward(self, features: Features) -> Vectors:
        """Compute one batch."""
        given = {name: features[name] for name in self._inputs}
        request = self._alone if given[self._inputs[0]].size <= ALONE_TOKENS else self._together
        request.infer(given, share_inputs=True)
        return unit(request.get_output_tensor(0).data)

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
