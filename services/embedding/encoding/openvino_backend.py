"""OpenVINO, on processors."""

from pathlib import Path

from services.embedding.encoding.backend import Features, Vectors, unit
from services.embedding.encoding.names import BackendName
from services.embedding.encoding.openvino_runtime import CPU, computes_bf16, core


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
        self._compiled = reader.compile_model(
            reader.read_model(graph),
            CPU,
            {
                "INFERENCE_PRECISION_HINT": number,
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": threads,
            },
        )
        self._request = self._compiled.create_infer_request()
        self._inputs = [port.any_name for port in self._compiled.inputs]

    def forward(self, features: Features) -> Vectors:
        """Compute one batch."""
        self._request.infer({name: features[name] for name in self._inputs}, share_inputs=True)
        return unit(self._request.get_output_tensor(0).data)
