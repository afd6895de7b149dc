"""Write a model as infinity's engines read it: `infinity_models.py SOURCE TARGET TOKENS`, run with infinity's packages.

Below TARGET are three folders: `torch` as it is, `onnx` exported with optimum and `int8` quantised dynamically besides.
The engine for ONNX reads as many tokens as the configuration says the model has places for, and not, as the library
does, as many as it was trained with; so the configurations say TOKENS there, and everybody reads the same.
"""

import json
import shutil
import sys
from pathlib import Path

from onnxruntime.quantization import QuantType, quantize_dynamic
from optimum.exporters.onnx import main_export

MODEL = "model.onnx"


def main() -> None:
    """Run the command line."""
    source, target, tokens = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    shutil.copytree(source, target / "torch")
    exported = target / "onnx"
    shutil.copytree(source, exported)
    main_export(str(source), output=exported, task="feature-extraction", library_name="transformers", device="cpu")
    configuration = exported / "config.json"
    configuration.write_text(json.dumps(json.loads(configuration.read_text()) | {"max_position_embeddings": tokens}))
    quantised = target / "int8"
    shutil.copytree(exported, quantised)
    (quantised / MODEL).unlink()
    quantize_dynamic(
        exported / MODEL, quantised / "model_quantized.onnx", weight_type=QuantType.QInt8, per_channel=True
    )


if __name__ == "__main__":
    main()
