"""What an encoder says of itself beyond what every encoder must."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from services.embedding.encoder import Encoder

DEFAULT_BACKEND = "torch-fp32"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The optional parts of an encoder.

    Attributes:
        backend: What computes, and how precisely: vectors of two backends differ a little.
        vocabulary: Token ids are below it; None when ids cannot be taken.
        prompts: Texts that the model was trained to have before a text, by name.
        report: How texts become vectors, and why so; None when the encoder does not say.
    """

    backend: str
    vocabulary: int | None
    prompts: Mapping[str, str]
    report: dict[str, Any] | None


def capabilities(encoder: Encoder) -> Capabilities:
    """Ask an encoder for its optional parts."""
    report = getattr(encoder, "report", None)
    return Capabilities(
        backend=getattr(encoder, "backend", DEFAULT_BACKEND),
        vocabulary=getattr(encoder, "vocabulary", None),
        prompts=getattr(encoder, "prompts", None) or {},
        report=report.model_dump(mode="json") if isinstance(report, BaseModel) else None,
    )
