"""A model's declared inputs, compiled once, and the strict reading of a caller's JSON against them."""

from services.model_serving.signature.compiled import ModelInput, Signature, compile_signature

__all__ = ["ModelInput", "Signature", "compile_signature"]
