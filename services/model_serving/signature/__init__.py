"""A model's declared inputs, compiled once, and the strict reading of a caller's JSON against them."""

from services.model_serving.signature.compiled import ModelInput, Signature, compile_signature
from services.model_serving.signature.policy import MLFLOW, MLFLOW_COMPAT, STRICT, ReadPolicy

__all__ = ["MLFLOW", "MLFLOW_COMPAT", "STRICT", "ModelInput", "ReadPolicy", "Signature", "compile_signature"]
