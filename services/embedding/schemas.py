"""Wire types of the embedding service."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.embedding.encoding.report import EncoderReport


class EmbedRequest(BaseModel):
    """Texts to turn into vectors."""

    model_config = ConfigDict(extra="forbid")

    texts: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    model: Annotated[str | None, Field(description="Registered name; the default model unless given.")] = None


class Usage(BaseModel):
    """What the request cost."""

    tokens: Annotated[int, Field(description="Tokens that the model read, over all texts.")]


class EmbedAnswer(BaseModel):
    """One unit vector per text, in the order of the texts."""

    model: str
    version: str
    digest: Annotated[str, Field(description="SHA-256 over weights and tokenizer: compare only vectors of equal ones.")]
    dimension: int
    embeddings: list[list[float]]
    truncated: Annotated[
        list[int], Field(description="Positions of the texts that were longer than the model reads; the rest was cut.")
    ]
    usage: Usage


class EmbeddingModel(BaseModel):
    """A model that this service serves."""

    name: str
    version: str
    dimension: int
    max_tokens: Annotated[int, Field(description="Tokens of a text that the model reads.")]
    digest: Annotated[str, Field(description="SHA-256 over weights and tokenizer.")]


class EmbeddingModels(BaseModel):
    """The models in memory."""

    models: list[EmbeddingModel]


class Info(BaseModel):
    """How this node computes and where it writes."""

    model: EmbeddingModel
    production_version: Annotated[
        str | None,
        Field(
            description="Version in production when the model was loaded. Another one than `model.version` is served "
            "once the index is made anew with it. Null when the registry could not be asked."
        ),
    ]
    space_id: Annotated[int | None, Field(description="Embedding space that this node fills; null until known.")]
    encoder: EncoderReport
    threads: int
    texts_per_request: int
    text_characters: int
    queued_texts: int
