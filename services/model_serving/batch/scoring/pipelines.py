"""Pipelines of Hugging Face's Transformers, called themselves: MLflow's wrapper answers the likeliest class only.

They were loaded from files that had been checked: weights in safetensors, no Python code, nothing from a hub.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from services.model_serving.engine.loaded_model import LoadedModel

ENDLESS = 1_000_000
"""Tokens; a tokenizer that was not told the model's limit names far more."""
OFFSET = 2
"""At most as many positions as some models, such as RoBERTa, leave unused."""


class Pipeline(Protocol):
    """A pipeline of texts or images."""

    task: str
    model: Any
    tokenizer: Any
    image_processor: Any

    def __call__(self, inputs: Any, **options: Any) -> Any:  # noqa: ANN401 (texts or images in; by task out)
        """Score texts, or decoded images: a string would be taken for the address of one."""

    def preprocess(self, given: Any) -> dict[str, Any]:  # noqa: ANN401 (a text or an image)
        """Return the tensors of one text or image, each with a first dimension of one."""

    def forward(self, tensors: dict[str, Any]) -> Any:  # noqa: ANN401 (the library's own form)
        """Call the model with tensors of several."""


def pipeline_of(model: LoadedModel) -> Pipeline | None:
    """Return the pipeline that a model is; None when it is something else."""
    found: Pipeline | None = model.pipeline  # type: ignore[assignment]  # what MLflow's flavor loads is a pipeline
    return found


def longest_text(pipeline: Pipeline) -> int | None:
    """Return the tokens that a model of texts reads; what is longer is cut. None when it does not say."""
    told = getattr(pipeline.tokenizer, "model_max_length", None)
    if isinstance(told, int) and told < ENDLESS:
        return told
    positions = getattr(pipeline.model.config, "max_position_embeddings", None)
    return max(1, positions - OFFSET) if isinstance(positions, int) else None


def exceed(pipeline: Pipeline, texts: Sequence[str], longest: int) -> list[bool]:
    """Say of each text whether it has more tokens than `longest`, those that the model wants around it with them."""
    found = pipeline.tokenizer(list(texts), truncation=False, padding=False, verbose=False)
    return [len(tokens) > longest for tokens in found["input_ids"]]
