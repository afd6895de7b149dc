"""int8 for OpenVINO: its own passes compute a graph in int8 that says where and how numbers are rounded.

Weights are rounded per column and symmetrically. Activations are rounded per tensor, in ranges seen on sample texts.
Transformers have a few channels of activations that are far larger than the rest; SmoothQuant (Xiao et al. 2023,
arXiv:2211.10438) moves a part of that range into the weights first. It is done here and not by nncf, which does it the
same way, because nncf brings scikit-learn, telemetry and half a dozen packages more into the service.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.embedding.encoding.backend import Features
from services.embedding.encoding.openvino_runtime import CPU, core, ops, ov

GRAPH = "model.xml"
MIGRATION = 0.7
"""Share of the range that goes from activations to weights, `alpha` in the paper. The paper's 0.5 leaves too much in
the activations between the layers of a feed-forward block: the default model then keeps a cosine of 0.990 to fp32, with
0.7 one of 0.998."""
LEVELS = 256
SMALLEST = 1e-5
MATRIX = 2

Array = NDArray[np.float32]


@dataclass(slots=True)
class _Linear:
    """Products of one tensor of activations with constant weights.

    Attributes:
        source: The output that is multiplied.
        products: The multiplications, `(node, weights as (in, out))`.
        low: Smallest activation by channel.
        high: Largest activation by channel.
    """

    source: Any
    products: list[tuple[Any, Array]] = field(default_factory=list)
    low: Array | None = None
    high: Array | None = None

    def see(self, values: Array) -> None:
        """Widen the ranges by what one batch has."""
        rows = values.reshape(-1, values.shape[-1])
        low, high = rows.min(axis=0), rows.max(axis=0)
        self.low = low if self.low is None else np.minimum(self.low, low)
        self.high = high if self.high is None else np.maximum(self.high, high)


def quantise(graph: Path, samples: Iterable[Features], folder: Path) -> None:
    """Write a graph with its matrix products by constant weights in int8.

    Args:
        graph: The graph in fp32.
        samples: Batches without padding, to see the ranges of activations on.
        folder: Where to write.
    """
    model = core().read_model(graph)
    linears = _find(model)
    _observe(model, linears, samples)
    for linear in linears:
        _round(linear)
    ov.save_model(model, folder / GRAPH, compress_to_fp16=False)


def _find(model: Any) -> list[_Linear]:  # noqa: ANN401 - openvino is not typed here
    found: dict[tuple[str, int], _Linear] = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() != "MatMul":
            continue
        weights = _constant(node.input_value(1).get_node())
        if weights is None or weights.ndim != MATRIX or node.get_attributes()["transpose_a"]:
            continue
        source = node.input_value(0)
        key = (source.get_node().get_friendly_name(), source.get_index())
        columns = weights.T if node.get_attributes()["transpose_b"] else weights
        found.setdefault(key, _Linear(source)).products.append((node, columns))
    return list(found.values())


def _constant(node: Any) -> Array | None:  # noqa: ANN401 - openvino is not typed here
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return np.asarray(node.data, dtype=np.float32) if node.get_type_name() == "Constant" else None


def _observe(model: Any, linears: Sequence[_Linear], samples: Iterable[Features]) -> None:  # noqa: ANN401 - see above
    observed = model.clone()
    for linear in linears:
        observed.add_outputs([(linear.source.get_node().get_friendly_name(), linear.source.get_index())])
    first = len(model.outputs)
    request = core().compile_model(observed, CPU, {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    inputs = [port.any_name for port in model.inputs]
    for sample in samples:
        request.infer({name: sample[name] for name in inputs})
        for place, linear in enumerate(linears):
            linear.see(request.get_output_tensor(first + place).data)


def _round(linear: _Linear) -> None:
    if linear.low is None or linear.high is None:
        raise ValueError("there were no samples to see the ranges of activations on")
    largest = np.maximum(np.maximum(-linear.low, linear.high), SMALLEST)
    weight = np.max([np.abs(columns).max(axis=1) for _, columns in linear.products], axis=0)
    scale = largest**MIGRATION / np.maximum(weight, SMALLEST) ** (1 - MIGRATION)
    scale = np.maximum(scale, SMALLEST).astype(np.float32)
    low, high = _range(float((linear.low / scale).min()), float((linear.high / scale).max()))
    smooth = ops.multiply(linear.source, ops.constant(1 / scale))
    rounded = ops.fake_quantize(smooth, low, high, low, high, LEVELS)
    for node, columns in linear.products:
        node.input(0).replace_source_output(rounded.output(0))
        node.input(1).replace_source_output(_round_weights(columns * scale[:, None], node).output(0))


def _range(low: float, high: float) -> tuple[np.float32, np.float32]:
    """Widen a range so that zero is one of its levels."""
    low, high = min(low, 0.0), max(high, SMALLEST)
    level = (high - low) / (LEVELS - 1)
    zero = round(-low / level)
    return np.float32(-zero * level), np.float32((LEVELS - 1 - zero) * level)


def _round_weights(columns: Array, node: Any) -> Any:  # noqa: ANN401 - see above
    levels = np.maximum(np.abs(columns).max(axis=0, keepdims=True), SMALLEST) / 127
    integers = np.clip(np.round(columns / levels), -127, 127).astype(np.int8)
    if node.get_attributes()["transpose_b"]:
        integers, levels = np.ascontiguousarray(integers.T), np.ascontiguousarray(levels.T)
    return ops.multiply(ops.convert(ops.constant(integers), "f32"), ops.constant(levels.astype(np.float32)))
