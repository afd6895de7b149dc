"""What an encoder may say of itself beyond what every encoder must."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from services.embedding.encoder import Encoder

DEFAULT_BACKEND = "torch-fp32"


def backend_of(encoder: Encoder) -> str:
    """Return what computes, and how precisely: vectors of two backends differ a little."""
    return str(getattr(encoder, "backend", DEFAULT_BACKEND))


def vocabulary_of(encoder: Encoder) -> int | None:
    """Return what token ids are below; None when ids cannot be taken."""
    found = getattr(encoder, "vocabulary", None)
    return None if found is None else int(found)


def prompts_of(encoder: Encoder) -> Mapping[str, str]:
    """Return the texts that the model was trained to have before a text, by name."""
    found: Mapping[str, str] = getattr(encoder, "prompts", None) or {}
    return found


def report_of(encoder: Encoder) -> dict[str, Any] | None:
    """Return how texts become vectors, and why so; None when the encoder does not say."""
    report = getattr(encoder, "report", None)
    return report.model_dump(mode="json") if isinstance(report, BaseModel) else None
