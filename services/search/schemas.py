"""Wire types of the search service, but for answers to queries."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    Tag,
    model_validator,
)

from services.search.filters import Comparison, Filters, Operator
from services.search.filters import TimeRange as Updated
from services.search.fusion import Method
from services.search.query.change import Change
from services.search.query.cursor import LONGEST
from services.search.query.query import DEEPEST, Mode, Query, normalised
from services.search.storable import check_bound, check_metadata, check_not_blank, check_text

ENTITY_TYPE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
INDEX_NAME = r"^(\*|[A-Za-z0-9][A-Za-z0-9._-]{0,63})$"
NO_NUL = r"^[^\x00]*$"
MOST_RESULTS = 1000
MOST_RERANKED = 200
LONGEST_QUERY = 100_000
"""Characters that are looked at; of those that are left without superfluous ones, fewer may be allowed."""

EntityType = Annotated[str, Field(pattern=ENTITY_TYPE, description="Kind of the item.")]
EntityId = Annotated[
    str, Field(min_length=1, max_length=256, pattern=NO_NUL, description="Id of the item within its kind.")
]
ItemTag = Annotated[str, Field(min_length=1, max_length=64, pattern=NO_NUL)]
Tags = Annotated[list[ItemTag], Field(max_length=64)]
Text = Annotated[str, Field(min_length=1), AfterValidator(check_text), AfterValidator(check_not_blank)]
FilterKey = Annotated[str, Field(max_length=256, pattern=NO_NUL)]
FilterText = Annotated[StrictStr, Field(pattern=NO_NUL)]
FilterNumber = Annotated[StrictFloat, Field(allow_inf_nan=False)]
FilterValue = FilterText | StrictBool | StrictInt | FilterNumber | None
FilterValues = Annotated[list[FilterValue], Field(min_length=1, max_length=100)]
Bound = Annotated[int | float | str, BeforeValidator(check_bound)]
Facet = Annotated[str, Field(pattern=r"^(entity_type|tags|metadata\.[^\x00]{1,256})$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ItemBody(_Body):
    """An item to index."""

    entity_type: EntityType
    entity_id: EntityId
    text: Annotated[Text, Field(description="What is searched in.")]
    metadata: Annotated[
        dict[str, Any], Field(description="What queries can filter by."), AfterValidator(check_metadata)
    ] = {}
    tags: Annotated[Tags, Field(description="What queries can filter by.")] = []


class IndexRequest(_Body):
    """Items to add to the index, or to replace in it."""

    items: Annotated[list[ItemBody], Field(min_length=1)]
    wait: Annotated[StrictBool, Field(description="Whether to answer only when the items can be found.")] = False
    wait_seconds: Annotated[float, Field(gt=0, description="How long to wait at most.")] = 10.0


class IndexAnswer(BaseModel):
    """What became of the items."""

    accepted: Annotated[int, Field(description="Items that were stored.")]
    embedded: Annotated[int, Field(description="Those that can be found by now.")]
    failed: Annotated[int, Field(description="Those that the model could not take; GET the item for the reason.")]
    truncated: Annotated[
        int,
        Field(description="Those embedded whose text is longer than the model reads; their vector is of a part of it."),
    ]


class DeleteAnswer(BaseModel):
    """What was deleted."""

    deleted: Annotated[int, Field(description="Items that existed and do no more.")]


class ItemAnswer(BaseModel):
    """An item of the index."""

    entity_type: str
    entity_id: str
    text: str
    metadata: dict[str, Any]
    tags: list[str]
    state: Literal["pending", "embedded", "failed"]
    error: Annotated[str | None, Field(description="Why the item could not be embedded.")]
    truncated: Annotated[
        bool,
        Field(
            description="Whether its text is longer than the model reads, so that its vector is of a part of it. Of "
            "vectors from before this was noted, false."
        ),
    ]
    generation: Annotated[int, Field(description="How often the item was written.")]
    updated_at: datetime


class Comparisons(_Body):
    """Conditions on one key of the metadata; all must hold. An item whose value has another type does not meet them."""

    eq: Annotated[FilterValue, Field(description="Has this value.")] = None
    ne: Annotated[FilterValue, Field(description="Has not this value, or not the key.")] = None
    gt: Annotated[Bound | None, Field(description="Greater.")] = None
    gte: Annotated[Bound | None, Field(description="Greater or equal.")] = None
    lt: Annotated[Bound | None, Field(description="Less.")] = None
    lte: Annotated[Bound | None, Field(description="Less or equal.")] = None
    one_of: Annotated[FilterValues | None, Field(alias="in", description="Has one of these values.")] = None
    exists: Annotated[StrictBool | None, Field(description="Has the key, or has it not.")] = None

    @model_validator(mode="after")
    def _fit(self) -> Self:
        """Refuse no condition at all, nulls that mean nothing, and bounds that no value can meet together."""
        if not self.model_fields_set:
            raise ValueError("must have a condition: eq, ne, gt, gte, lt, lte, in or exists")
        for name in self.model_fields_set - {"eq", "ne"}:
            if getattr(self, name) is None:
                raise ValueError("must not be null: only eq and ne compare with null")
        texts = {isinstance(bound, str) for bound in (self.gt, self.gte, self.lt, self.lte) if bound is not None}
        if len(texts) > 1:
            raise ValueError("gt, gte, lt and lte must be all numbers or all texts")
        return self

    def of(self, key: str) -> Iterator[Comparison]:
        """Return the conditions as comparisons of a key."""
        for name in sorted(self.model_fields_set):
            operator = cast("Operator", "in" if name == "one_of" else name)
            yield Comparison(key, operator, getattr(self, name))


def _kind(condition: object) -> str:
    if isinstance(condition, Mapping | Comparisons):
        return "conditions"
    return "values" if isinstance(condition, list) else "value"


Condition = Annotated[
    Annotated[FilterValue, Tag("value")]
    | Annotated[FilterValues, Tag("values")]
    | Annotated[Comparisons, Tag("conditions")],
    Discriminator(_kind),
]


class TimeRange(_Body):
    """When items were last written."""

    since: Annotated[AwareDatetime | None, Field(description="At this time or later.")] = None
    before: Annotated[AwareDatetime | None, Field(description="Earlier than this.")] = None

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.since is not None and self.before is not None and self.since >= self.before:
            raise ValueError("since must be earlier than before")
        return self


class SearchRequest(_Body):
    """What to look for, and where."""

    query: Annotated[str, Field(max_length=LONGEST_QUERY), AfterValidator(check_text), AfterValidator(normalised)]
    mode: Annotated[Mode, Field(description="Which legs look: both, vectors only or words only.")] = "hybrid"
    fusion: Annotated[Method, Field(description="How both legs become one ranking.")] = "convex"
    weight: Annotated[
        StrictFloat | StrictInt | None,
        Field(ge=0, le=1, description="Of the vectors; words have the rest. Default: that of the index."),
    ] = None
    limit: Annotated[int, Field(ge=1, le=MOST_RESULTS)] = 10
    offset: Annotated[int, Field(ge=0, le=DEEPEST, description="Results to skip.")] = 0
    cursor: Annotated[
        str | None, Field(max_length=LONGEST, description="Where the page begins; from the page before.")
    ] = None
    entity_types: Annotated[
        list[EntityType] | None, Field(min_length=1, max_length=64, description="Only items of these kinds.")
    ] = None
    tags: Annotated[Tags, Field(description="Only items with all of these tags.")] = []
    filters: Annotated[
        dict[FilterKey, Condition],
        Field(
            max_length=32,
            description="Only items whose metadata has this value, or one of these, or meets these conditions, for "
            "each key.",
        ),
    ] = {}
    updated: Annotated[TimeRange | None, Field(description="Only items that were last written then.")] = None
    facets: Annotated[
        list[Facet], Field(max_length=8, description="What to count: entity_type, tags, metadata.<key>.")
    ] = []
    highlight: Annotated[StrictBool, Field(description="Whether to show where the words are.")] = False
    explain: Annotated[StrictBool, Field(description="Whether to show how results came about.")] = False
    content: Annotated[StrictBool, Field(description="Whether results carry text, metadata and tags.")] = True
    rerank: Annotated[
        StrictInt | None,
        Field(
            ge=0,
            le=MOST_RERANKED,
            description="How many of the best results a re-ranker reads and orders anew; 0 for none. Default: as many "
            "as the index's setting says.",
        ),
    ] = None
    tenant: Annotated[str | None, Field(description="The caller's tenant; any other is refused.")] = None

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.cursor is not None and self.offset:
            raise ValueError("give a cursor or an offset, not both")
        if self.offset + self.limit > DEEPEST:
            raise ValueError(f"results beyond the first {DEEPEST} are not ranked; narrow the filters")
        return self

    def wanted(self) -> Query:
        """Return the query that is meant."""
        comparisons: list[Comparison] = []
        for key, condition in self.filters.items():
            if isinstance(condition, Comparisons):
                comparisons += condition.of(key)
            else:
                comparisons.append(Comparison(key, "in" if isinstance(condition, list) else "eq", condition))
        updated = self.updated or TimeRange()
        return Query(
            text=self.query,
            mode=self.mode,
            fusion=self.fusion,
            weight=None if self.weight is None else float(self.weight),
            filters=Filters(
                self.entity_types, tuple(self.tags), tuple(comparisons), Updated(updated.since, updated.before)
            ),
            limit=self.limit,
            position=self.offset,
            facets=tuple(dict.fromkeys(self.facets)),
            highlight=self.highlight,
            explain=self.explain,
            content=self.content,
            rerank=self.rerank,
        )


class IndexSettings(_Body):
    """Settings of the tenant's items of one kind; at least one."""

    weight: Annotated[
        StrictFloat | StrictInt | None, Field(ge=0, le=1, description="Of the vectors; null: the service's default.")
    ] = None
    tuning: Annotated[
        dict[str, StrictFloat | StrictInt | StrictStr] | None,
        Field(max_length=32, description="The measurements that the weight comes from; null: it was set by hand."),
    ] = None
    rerank: Annotated[
        StrictInt | None,
        Field(ge=0, le=MOST_RERANKED, description="Best results that are re-ranked; null: the service's default."),
    ] = None
    language: Annotated[
        StrictStr | None,
        Field(
            max_length=63,
            description="A text search configuration of Postgres, for the items' words; null: english.",
        ),
    ] = None

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if not self.model_fields_set & {"weight", "rerank", "language"}:
            raise ValueError("must have a setting: weight, rerank or language")
        if self.tuning is not None and "weight" not in self.model_fields_set:
            raise ValueError("tuning belongs to a weight, and there is none")
        return self

    def change(self) -> Change:
        """Return the change that is meant."""
        return Change(
            weighs="weight" in self.model_fields_set,
            weight=None if self.weight is None else float(self.weight),
            tuning=self.tuning,
            reranks="rerank" in self.model_fields_set,
            rerank=self.rerank,
            speaks="language" in self.model_fields_set,
            language=self.language,
        )


class IndexSettingsAnswer(BaseModel):
    """Settings of the tenant's items of one kind; `*` is for all kinds without settings of their own."""

    entity_type: str
    weight: float | None
    tuning: dict[str, Any] | None
    rerank: int | None
    language: Annotated[str | None, Field(description="Of the items' words; null for *, which has none of its own.")]
    waiting: Annotated[int, Field(description="Items still to be indexed in this language, counted up to 100,000.")]
    updated_at: Annotated[datetime | None, Field(description="null: nothing was ever set.")]
