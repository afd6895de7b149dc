"""Wire types of answers to queries."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from services.search.query.query import Mode
from services.search.query.ranking import Part, Strategy


class HighlightAnswer(BaseModel):
    """A passage of an item's text, as plain text: escape it before it is shown as HTML."""

    text: str
    marks: Annotated[
        list[tuple[int, int]], Field(description="Start and end of each word that was looked for, in code points.")
    ]


class LegExplanation(BaseModel):
    """What one leg said of an item."""

    score: Annotated[float | None, Field(description="Cosine similarity or BM25; null: it was not proposed.")]
    rank: int | None
    share: Annotated[float, Field(description="What the leg gives before its weight.")]


class RerankExplanation(BaseModel):
    """What the re-ranker said of an item."""

    score: float
    rank_before: Annotated[int, Field(description="In the ranking that the re-ranker was given.")]


class ResultExplanation(BaseModel):
    """What both legs, and the re-ranker, said of an item."""

    vector: LegExplanation
    lexical: LegExplanation
    rerank: Annotated[RerankExplanation | None, Field(description="Of items that it read.")] = None


class Result(BaseModel):
    """An item that was found."""

    entity_type: str
    entity_id: str
    score: Annotated[
        float,
        Field(description="Fused score; in mode vector the cosine similarity, in mode lexical BM25."),
    ]
    rerank_score: Annotated[
        float | None,
        Field(
            description="How likely the item answers the query, from 0 to 1, of items that the re-ranker read. Those "
            "come first, ordered by it."
        ),
    ] = None
    text: str | None = None
    metadata: dict[str, Any] | None = None
    tags: list[str] | None = None
    highlights: list[HighlightAnswer] | None = None
    explain: ResultExplanation | None = None


class FacetValue(BaseModel):
    """A value, and how many candidates have it."""

    value: str | bool | int | float
    items: int


class FacetAnswer(BaseModel):
    """The most frequent values among the candidates."""

    values: list[FacetValue]
    different: Annotated[int, Field(description="How many values there are, listed or not.")]


class Explanation(BaseModel):
    """How an answer came about."""

    weight: Annotated[float, Field(description="Of the vectors.")]
    candidates: int
    matching: Annotated[int | None, Field(description="Embedded items that meet the filters, counted up to a bound.")]
    more_match: Annotated[bool | None, Field(description="Whether there are more than were counted.")]
    space: Annotated[int | None, Field(description="Embedding space that was searched.")]
    generation: Annotated[int, Field(description="Of the index: changes with every write.")]
    milliseconds: Annotated[dict[str, float], Field(description="Of each step; embed and lexical run side by side.")]


class SearchAnswer(BaseModel):
    """The items that answer a query best, the best first."""

    results: list[Result]
    mode: Mode
    strategy: Annotated[Strategy, Field(description="How the vectors were searched.")]
    complete: Annotated[
        bool,
        Field(
            description="False while items wait for their embedding, when a leg failed, or when too many have the "
            "words of the query to look at all: some may be missing."
        ),
    ]
    degraded: Annotated[
        list[Part],
        Field(description="Legs that failed, so that the answer is that of the other; and rerank when that failed."),
    ]
    reason: Annotated[str | None, Field(description="Why results may be fewer or other than expected.")]
    corrected: Annotated[
        dict[str, str], Field(description="Word of the query that no item has → what was looked for instead.")
    ]
    cursor: Annotated[str | None, Field(description="For the next page; null when nothing follows.")]
    index_changed: Annotated[
        bool,
        Field(
            description="Whether the index changed since the page before, or a leg failed or came back: pages may "
            "repeat or miss items."
        ),
    ]
    facets: dict[str, FacetAnswer] | None = None
    explain: Explanation | None = None
    model: str | None
    version: str | None
    reranker: Annotated[str | None, Field(description="Model and version that re-ranked; null when none did.")]
    took_ms: float
