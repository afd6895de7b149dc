"""What became of items on their way into the index."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from mlplatform.auth import Permission, Principal, require
from mlplatform.service.json_route import ServiceRouter
from services.search.index import ACCEPTED
from services.search.routes.dependencies import get_states
from services.search.schemas import EntityId, EntityType
from services.search.states.states import RETRIED, ItemStates

State = Literal["pending", "embedded", "failed"]

router = ServiceRouter(prefix="/api/v1/index", tags=["index"])


class ItemState(BaseModel):
    """An item without its text."""

    entity_type: str
    entity_id: str
    state: State
    error: Annotated[str | None, Field(description="Why the item could not be embedded.")]
    truncated: Annotated[
        bool,
        Field(description="Whether its text is longer than the model reads, so that its vector is of a part of it."),
    ]
    generation: Annotated[int, Field(description="How often the item was written.")]
    updated_at: datetime


class ItemStatePage(BaseModel):
    """Items in the order of their keys."""

    items: list[ItemState]
    next_cursor: str | None


class StateCounts(BaseModel):
    """How many items cannot be found by their meaning."""

    pending: Annotated[int, Field(description="Items that wait for their embedding.")]
    failed: Annotated[int, Field(description="Items that could not be embedded.")]


class RetryRequest(BaseModel):
    """Which failed items to embed again; all of them when nothing is said."""

    model_config = ConfigDict(extra="forbid")

    entity_type: Annotated[EntityType | None, Field(description="Only items of this kind.")] = None
    entity_ids: Annotated[
        list[EntityId] | None, Field(min_length=1, max_length=1000, description="Only these items.")
    ] = None


class RetryAnswer(BaseModel):
    """What is embedded again."""

    retried: Annotated[int, Field(description=f"Items that wait again; with {RETRIED} of them, ask again for more.")]


@router.get("", summary="List items by their state")
async def list_states(
    *,
    principal: Annotated[Principal, require(Permission.READ)],
    states: Annotated[ItemStates, Depends(get_states)],
    state: Annotated[State | None, Query(description="Only items in this state.")] = None,
    entity_type: Annotated[EntityType | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Entries in a page.")] = 100,
    cursor: Annotated[str | None, Query(max_length=2048, description="`next_cursor` of the page before.")] = None,
) -> ItemStatePage:
    """Return a page of items without their texts; `state=failed` lists those that need a look, with the reason."""
    items, following = await states.page(
        principal.tenant, state=state, entity_type=entity_type, limit=limit, cursor=cursor
    )
    return ItemStatePage(items=[ItemState.model_validate(item) for item in items], next_cursor=following)


@router.get("/states", summary="Count the items that wait and those that failed")
async def count_states(
    principal: Annotated[Principal, require(Permission.READ)], states: Annotated[ItemStates, Depends(get_states)]
) -> StateCounts:
    """Return the counts of the caller's tenant; with none waiting, everything sent is found or failed."""
    return StateCounts.model_validate(await states.count(principal.tenant))


@router.post("/retry", summary="Embed failed items again", status_code=ACCEPTED)
async def retry_failed(
    body: RetryRequest,
    principal: Annotated[Principal, require(Permission.INDEX)],
    states: Annotated[ItemStates, Depends(get_states)],
) -> RetryAnswer:
    """Have failed items embedded again, as after the cause of their failure was mended."""
    retried = await states.retry(principal.tenant, entity_type=body.entity_type, entity_ids=body.entity_ids)
    return RetryAnswer(retried=retried)
