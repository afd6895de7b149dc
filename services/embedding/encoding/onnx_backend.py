"""ONNX Runtime, on processors."""

from pathlib import Path

import onnx
import onnxruntime as ort
from onnxruntime.quantization import QuantType, quantize_dynamic

from services.embedding.encoding.backend import Features, Vectors, unit
from services.embedding.encoding.names import BackendName
from services.embedding.encoding.shapes import ANY

ERRORS_ONLY = 3
GRAPH = "model.onnx"
MATRIX = 2


def quantise_graph(graph: Path, folder: Path) -> None:
    """Write a graph with the weights of its matrix products in int8; activations are quantised when it runs.

    Products that narrow stay in fp32: what comes out of a feed-forward block's activation function has a few numbers so
    large that one range for all of them leaves little of the rest.
    """
    quantize_dynamic(
        graph,
        folder / GRAPH,
        per_channel=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Gemm"],
        nodes_to_exclude=_narrowing(graph),
    )


def _narrowing(graph: Path) -> list[str]:
    model = onnx.load(graph)
    shapes = {weights.name: tuple(weights.dims) for weights in model.graph.initializer}
    products = [(node.name, shapes.get(node.input[1], ())) for node in model.graph.node if node.op_type == "MatMul"]
    return [name for name, shape in products if len(shape) == MATRIX and shape[0] > shape[1]]


class OnnxBackend:
    """A graph in a session of ONNX Runtime.

    Args:
        graph: Its file.
        name: Its precision.
        threads: Threads of one batch.
    """

    shapes = ANY

    def __init__(self, graph: Path, name: BackendName, *, threads: int) -> None:
        self.name = name
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = ERRORS_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # cores are shared, see the package
        self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._inputs = [port.name for port in self._session.get_inputs()]

    def forward(self, features: Features) -> Vectors:
        """Compute one batch."""
        (vectors,) = self._session.run(None, {name: features[name] for name in self._inputs})
        return unit(vectors)
