"""OpenVINO without its telemetry: importing it would report the import to its makers over the network."""

import sys
from typing import Any

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # makes its import fail; a stub takes over

import openvino as ov  # noqa: E402 - after the line above
import openvino.opset13 as ops  # noqa: E402 - see above

__all__ = ["CPU", "computes_bf16", "core", "ops", "ov"]

CPU = "CPU"


def core() -> Any:  # noqa: ANN401 - openvino is not typed here
    """Return a new core."""
    return ov.Core()


def computes_bf16() -> bool:
    """Whether OpenVINO has fast bf16 on this processor."""
    return "BF16" in core().get_property(CPU, "OPTIMIZATION_CAPABILITIES")
