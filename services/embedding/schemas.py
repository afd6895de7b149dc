"""Wire types of the embedding service."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from services.embedding.encoding.report import EncoderReport


class EmbedRequest(BaseModel):
    """Texts to turn into vectors."""

    model_config = ConfigDict(extra="forbid")

    texts: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    model: Annotated[str | None, Field(description="Registered name; the default model unless given.")] = None
    digest: Annotated[
        str | None,
        Field(
            description="Embed with these weights, as an answer named them. There are more than one while the index "
            "changes models. Default: those that the index is searched with."
        ),
    ] = None
    prompt: Annotated[
        str | None,
        Field(
            description="Put before each text, as some models want it: `query: `. It counts as text. Default, and when "
            "it is empty: what the model itself puts there, which is nothing for most."
        ),
    ] = None
    prompt_name: Annotated[
        str | None, Field(description="A prompt that the model was trained with; `GET /api/v1/models` lists them.")
    ] = None
    input_type: Annotated[
        Literal["query", "document"] | None,
        Field(
            description="What the texts are: the model's prompt for it is put before each, if it has one. Items of the "
            "index are embedded as documents and what they are searched by as queries."
        ),
    ] = None
    dimensions: Annotated[
        int | None,
        Field(ge=1, strict=True, description="Keep the first components, and make the length one again. Default: all."),
    ] = None


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
    tokens: Annotated[list[int], Field(description="Tokens of each text as the model read it.")]
    truncated: Annotated[
        list[int], Field(description="Positions of the texts that were longer than the model reads; the rest was cut.")
    ]
    usage: Usage


class RerankDocument(BaseModel):
    """A document that is returned."""

    text: str


def _text_of(document: object) -> object:
    return document.get("text") if isinstance(document, Mapping) else document


_RERANK_TEXT = {"type": "string", "minLength": 1}
RerankText = Annotated[
    str,
    BeforeValidator(_text_of),
    Field(min_length=1),
    WithJsonSchema(
        {"anyOf": [_RERANK_TEXT, {"type": "object", "properties": {"text": _RERANK_TEXT}, "required": ["text"]}]}
    ),
]


class RerankRequest(BaseModel):
    """A query, and documents that may answer it."""

    model_config = ConfigDict(extra="forbid")

    query: Annotated[str, Field(min_length=1)]
    documents: Annotated[
        list[RerankText], Field(min_length=1, description="Texts, or objects with a `text` as some clients send them.")
    ]
    top_n: Annotated[
        int | None, Field(ge=1, strict=True, description="Return so many, the best. Default: all of them.")
    ] = None
    return_documents: Annotated[bool, Field(strict=True, description="Whether to return the texts too.")] = False
    model: Annotated[str | None, Field(description="Registered name; the re-ranker in production unless given.")] = None


class RerankResult(BaseModel):
    """A document that was scored."""

    index: Annotated[int, Field(description="Its position in the request.")]
    relevance_score: Annotated[float, Field(description="How likely it answers the query, from 0 to 1.")]
    document: RerankDocument | None = None


class RerankAnswer(BaseModel):
    """The documents, the best first."""

    model: str
    version: str
    digest: str
    results: list[RerankResult]


class RerankerInfo(BaseModel):
    """The cross-encoder that re-ranks."""

    name: str
    version: Annotated[str | None, Field(description="In memory; null when there is none.")]
    problem: Annotated[str | None, Field(description="Why it is not the one in production.")]


class EmbeddingModel(BaseModel):
    """A model that this service serves."""

    name: str
    names: Annotated[list[str], Field(description="What a request may call it.")]
    version: str
    dimension: int
    max_tokens: Annotated[int, Field(description="Tokens of a text that the model reads.")]
    digest: Annotated[str, Field(description="SHA-256 over weights and tokenizer.")]
    backend: Annotated[str, Field(description="What computes, and how precisely.")]
    prompts: Annotated[dict[str, str], Field(description="Texts to put before a text, by name.")]


class EmbeddingModels(BaseModel):
    """The models in memory, the one that embeds by default first."""

    models: list[EmbeddingModel]


class CacheInfo(BaseModel):
    """The cache of vectors."""

    state: Literal["on", "off", "unreachable"]
    entries: Annotated[int, Field(description="Most vectors that it keeps.")]
    seconds: Annotated[float, Field(description="How long it keeps one.")]


class JobQuery(BaseModel):
    """What a job is to do."""

    model_config = ConfigDict(extra="forbid")

    output: Annotated[Literal["ndjson", "npy"], Field(description="The form of the result.")] = "ndjson"
    dimensions: Annotated[int | None, Field(ge=1, description="Length of the vectors.")] = None
    prompt: Annotated[str, Field(description="Put before each text; when it is empty, what the model puts there.")] = ""
    input_key: Annotated[
        str | None,
        Field(min_length=1, description="An object below `uploads/<tenant>/` in S3 to read instead of the body."),
    ] = None


class JobAnswer(BaseModel):
    """How far a job is."""

    id: UUID
    state: Literal["pending", "running", "done", "failed"]
    output: Literal["ndjson", "npy"]
    model: Annotated[str | None, Field(description="What embeds it; null before it has begun.")]
    version: str | None
    digest: str | None
    dimension: Annotated[int | None, Field(description="Length of its vectors.")]
    lines: Annotated[int, Field(description="Lines read so far, blank ones included.")]
    texts: Annotated[int, Field(description="Lines with an answer so far.")]
    failed: Annotated[int, Field(description="Answers that are errors.")]
    error: Annotated[str | None, Field(description="Why the job as a whole failed.")]
    created_at: datetime
    finished_at: datetime | None
    result_key: Annotated[str | None, Field(description="The result in S3, once the job is done.")]
    errors_key: Annotated[str | None, Field(description="The lines that failed, of a result that is a matrix.")]


class SpaceFill(BaseModel):
    """How far the filling of a space is."""

    model_config = ConfigDict(populate_by_name=True)

    number: Annotated[int, Field(alias="pass", description="Of the pass over all items.")]
    seen: Annotated[int, Field(description="Items gone over in this pass.")]
    lacking: Annotated[int, Field(description="Those of them that had no vector of their text.")]
    stored: Annotated[int, Field(description="Vectors stored by all passes.")]
    complete_at: Annotated[datetime | None, Field(description="When a pass found nothing lacking.")]
    holder: Annotated[str | None, Field(description="The node that fills.")]
    problem: Annotated[str | None, Field(description="Why nothing happens.")]


class IndexBuild(BaseModel):
    """How far the build of an index is."""

    phase: Annotated[str, Field(description="What it does, in the words of Postgres.")]
    done: Annotated[int, Field(description="Blocks of the table that this phase has read.")]
    total: Annotated[int, Field(description="Those that it reads; 0 when it reads none.")]
    share: Annotated[float, Field(description="Of this phase, from 0 to 1.")]


class SpaceIndex(BaseModel):
    """The HNSW index of a space."""

    state: Annotated[Literal["valid", "invalid", "missing"], Field(description="Only a valid one can be searched.")]
    build: Annotated[IndexBuild | None, Field(description="The build that is under way.")]


class SpaceEntry(BaseModel):
    """An embedding space."""

    id: int
    model: str
    version: Annotated[str, Field(description="Of the model.")]
    digest: Annotated[str | None, Field(description="Of the weights; null until a node has loaded them.")]
    dimension: int | None
    state: Literal["planned", "building", "active", "standby", "retired"]
    requested_by: str
    note: Annotated[str | None, Field(description="Why it is as it is.")]
    created_at: datetime
    changed_at: Annotated[datetime, Field(description="When it came into its state.")]
    fill: SpaceFill | None
    index: Annotated[SpaceIndex | None, Field(description="Null while the space has no table.")]
    in_memory: Annotated[bool, Field(description="Whether this node has its model in memory.")]


class Spaces(BaseModel):
    """The embedding spaces."""

    spaces: list[SpaceEntry]


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
    queued_texts: Annotated[int, Field(description="Most texts that may wait.")]
    waiting_texts: Annotated[int, Field(description="Texts that wait or are being encoded.")]
    cache: CacheInfo
    reranker: RerankerInfo
