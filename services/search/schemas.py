"""Wire types of the search service."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from services.search.storable import check_metadata, check_not_blank, check_text

ENTITY_TYPE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
NO_NUL = r"^[^\x00]*$"
MOST_RESULTS = 1000

EntityType = Annotated[str, Field(pattern=ENTITY_TYPE, description="Kind of the item.")]
EntityId = Annotated[
    str, Field(min_length=1, max_length=256, pattern=NO_NUL, description="Id of the item within its kind.")
]
Tag = Annotated[str, Field(min_length=1, max_length=64, pattern=NO_NUL)]
Tags = Annotated[list[Tag], Field(max_length=64)]
Text = Annotated[str, Field(min_length=1), AfterValidator(check_text), AfterValidator(check_not_blank)]
FilterKey = Annotated[str, Field(max_length=256, pattern=NO_NUL)]
FilterValue = Annotated[StrictStr, Field(pattern=NO_NUL)] | StrictBool | StrictInt | StrictFloat | None


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
    generation: Annotated[int, Field(description="How often the item was written.")]
    updated_at: datetime


class SearchRequest(_Body):
    """What to look for, and where."""

    query: Text
    limit: Annotated[int, Field(ge=1, le=MOST_RESULTS)] = 10
    entity_types: Annotated[
        list[EntityType] | None, Field(min_length=1, max_length=64, description="Only items of these kinds.")
    ] = None
    tags: Annotated[Tags, Field(description="Only items with all of these tags.")] = []
    filters: Annotated[
        dict[FilterKey, FilterValue | Annotated[list[FilterValue], Field(min_length=1, max_length=100)]],
        Field(max_length=32, description="Only items whose metadata has this value, or one of these, for each key."),
    ] = {}
    tenant: Annotated[str | None, Field(description="The caller's tenant; any other is refused.")] = None


class Result(BaseModel):
    """An item that was found."""

    entity_type: str
    entity_id: str
    score: Annotated[float, Field(description="Cosine similarity of query and item.")]
    text: str
    metadata: dict[str, Any]
    tags: list[str]


class SearchAnswer(BaseModel):
    """The items nearest to the query, the best first."""

    results: list[Result]
    strategy: Annotated[
        Literal["exact", "hnsw", "exact_after_hnsw"], Field(description="How the vectors were searched.")
    ]
    complete: Annotated[
        bool,
        Field(description="False while items that meet the filters wait for their embedding and cannot be found yet."),
    ]
    model: str
    version: str
    took_ms: float
