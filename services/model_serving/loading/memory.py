"""How many bytes a model takes in memory, estimated from its artifacts.

What a load adds to the process says less: the first of a library brings the library along (300 MB for PyTorch), later
ones fill what was freed before. So the bytes of the artifacts are taken, times a factor of the library. Measured in
November 2026 as the growth of the resident memory by the second to fifth load of the same model, in bytes of its
artifacts: LightGBM 0.8 to 1.3, scikit-learn 1.0 (forest, neighbours), XGBoost 1.5 to 2.5, ONNX 1.6 to 2.4, PyTorch 0.8
to 1.4 and Hugging Face's libraries 0.6 (the file is mapped, and what was touched counts). The factors come from these.
"""

FACTORS = {
    "lightgbm": 1.5,
    "onnx": 2.0,
    "pytorch": 1.5,
    "sentence_transformers": 1.2,
    "sklearn": 1.2,
    "transformers": 1.2,
    "xgboost": 2.0,
}
UNKNOWN = 2.0
"""Of a model that its own code loads."""
SMALLEST = 2**15
"""What a model of a few numbers takes, with its description and its signature: 16 kB were measured over 150 loads."""


def memory_of(flavor: str | None, artifacts: int) -> int:
    """Estimate the bytes that a loaded model takes.

    Args:
        flavor: its library; None while that is not known, of which none has a greater factor.
        artifacts: bytes of its artifacts.
    """
    factor = UNKNOWN if flavor is None else FACTORS.get(flavor, UNKNOWN)
    return SMALLEST + int(artifacts * factor)
