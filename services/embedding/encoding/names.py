"""Names of the backends. It imports nothing heavy, as the settings need it."""

from typing import Final, Literal

BackendName = Literal[
    "torch-fp32",
    "torch-bf16",
    "openvino-fp32",
    "openvino-bf16",
    "openvino-int8",
    "onnx-int8",
    "torch-cuda-bf16",
    "torch-cuda-fp16",
    "torch-cuda-fp32",
]
Wanted = Literal["auto", BackendName]

AUTO: Final = "auto"
COMPARISON: Final = "comparison"
Attempt = BackendName | Literal["comparison"]
"""At one backend, or at the fastest ones side by side."""
REFERENCE: Final = "torch-fp32"
"""What sentence-transformers itself computes: every service starts with it, and others are compared with it."""
ON_GPUS: Final[tuple[BackendName, ...]] = ("torch-cuda-bf16", "torch-cuda-fp16", "torch-cuda-fp32")
"""Those after the first are for GPUs that have no bf16."""


def stand_ins(wanted: str) -> tuple[BackendName, ...]:
    """Return what serves in place of a wanted backend that may not: on a GPU, one of a later precision."""
    return ON_GPUS[ON_GPUS.index(wanted) + 1 :] if wanted in ON_GPUS else ()


def precision(name: str) -> str:
    """Return the precision that a backend computes in, such as `int8`."""
    return name.rpartition("-")[2]
