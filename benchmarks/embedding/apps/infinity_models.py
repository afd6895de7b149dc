"""Write a model as infinity's engines read it: `infinity_models.py SOURCE TARGET TOKENS`, run with infinity's packages.

Below TARGET are three folders: `torch` as it is, `onnx` with its graph in fp32, `int8` with that quantised dynamically.
The engine for ONNX reads as many tokens as the configuration says the model has places for, and not, as the library
does, as many as it was trained with; so the configurations say TOKENS there, and everybody reads the same.
"""

import inspect
import json
import shutil
import sys
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import AutoModel, AutoTokenizer

GRAPH, QUANTISED = "model.onnx", "model_quantized.onnx"
OUTPUT = "last_hidden_state"
OPSET = 17


def main() -> None:
    """Run the command line."""
    source, target, tokens = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    plain, exported, quantised = (target / name for name in ("torch", "onnx", "int8"))
    shutil.copytree(source, plain)
    shutil.copytree(source, exported)
    configuration = exported / "config.json"
    configuration.write_text(json.dumps(json.loads(configuration.read_text()) | {"max_position_embeddings": tokens}))
    shutil.copytree(exported, quantised)
    _write_graph(source, exported / GRAPH)
    quantize_dynamic(exported / GRAPH, quantised / QUANTISED, weight_type=QuantType.QInt8, per_channel=True)


def _write_graph(source: Path, path: Path) -> None:
    """Write the transformer as ONNX. The exporter that is PyTorch's default now needs packages that infinity lacks."""
    model = AutoModel.from_pretrained(source, attn_implementation="eager").eval()
    example = AutoTokenizer.from_pretrained(source)(["a text", "another text"], padding=True, return_tensors="pt")
    names = [name for name in inspect.signature(model.forward).parameters if name in example]  # inputs in this order
    sizes = {0: "texts", 1: "tokens"}
    with torch.no_grad():
        torch.onnx.export(
            model,
            tuple(example[name] for name in names),
            path,
            input_names=names,
            output_names=[OUTPUT],
            dynamic_axes=dict.fromkeys([*names, OUTPUT], sizes),
            opset_version=OPSET,
            dynamo=False,
        )


if __name__ == "__main__":
    main()
