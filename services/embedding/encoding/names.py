"""Names of the backends. It imports nothing heavy, as the settings need it."""

from typing import Final, Literal

BackendName = Literal[
    "torch-fp32", "torch-bf16", "openvino-fp32", "openvino-bf16", "openvino-int8", "onnx-int8", "torch-cuda-bf16"
]
Wanted = Literal["auto", BackendName]

AUTO: Final = "auto"
REFERENCE: Final = "torch-fp32"
"""What sentence-transformers itself computes: every service starts with it, and others are compared with it."""
GPU: Final = "torch-cuda-bf16"


def precision(name: str) -> str:
    """Return the precision that a backend computes in, such as `int8`."""
    return name.rpartition("-")[2]
