"""Items in, out and by their key."""

from typing import Annotated

from fastapi import Depends, Query, Response

from mlplatform.auth import Permission, Principal, require
from mlplatform.idempotency import IdempotentRequest, StoredResponse, replayed
from mlplatform.service.json_route import JsonResponse, ServiceRouter
from services.search.errors import ItemNotFound
from services.search.index import ACCEPTED, Index
from services.search.items import Item
from services.search.limits import check_items, check_wait
from services.search.routes.dependencies import get_index, get_settings
from services.search.schemas import DeleteAnswer, EntityId, EntityType, IndexAnswer, IndexRequest, ItemAnswer
from services.search.settings import SearchSettings
from services.search.storable import NUL

MAX_DELETED = 16
"""Ids in one call: the longest ones, percent-encoded, still fit the 64 KiB that the HTTP parser takes as a URL."""

router = ServiceRouter(prefix="/api/v1/index", tags=["index"])


@router.post("", summary="Add items, or replace them", status_code=ACCEPTED, response_model=IndexAnswer)
async def add_items(
    body: IndexRequest,
    principal: Annotated[Principal, require(Permission.INDEX)],
    idempotent: IdempotentRequest,
    index: Annotated[Index, Depends(get_index)],
    settings: Annotated[SearchSettings, Depends(get_settings)],
) -> Response:
    """Store all items or none. They are found once they are embedded, which `wait` waits for.

    An item whose text is unchanged keeps its embedding.
    """
    items = [Item(item.entity_type, item.entity_id, item.text, item.metadata, item.tags) for item in body.items]
    check_items(items, settings)
    wait_for = check_wait(body.wait_seconds, settings) if body.wait else None
    indexed = await index.add(principal.tenant, items, idempotent, wait_for=wait_for)
    if isinstance(indexed, StoredResponse):
        return replayed(indexed)
    return JsonResponse(indexed.body(), ACCEPTED)


@router.delete("", summary="Delete items")
async def delete_items(
    entity_type: Annotated[EntityType, Query()],
    entity_id: Annotated[list[EntityId], Query(min_length=1, max_length=MAX_DELETED)],
    principal: Annotated[Principal, require(Permission.INDEX)],
    index: Annotated[Index, Depends(get_index)],
) -> DeleteAnswer:
    """Delete items of one kind with their embeddings; ids that do not exist are passed over."""
    return DeleteAnswer(deleted=await index.delete(principal, entity_type, entity_id))


@router.get("/{entity_type}/{entity_id}", summary="Read an item and its state")
async def read_item(
    entity_type: str,
    entity_id: str,
    principal: Annotated[Principal, require(Permission.READ)],
    index: Annotated[Index, Depends(get_index)],
) -> ItemAnswer:
    """Return the item as it was last written, and whether it can be found."""
    if NUL in entity_type + entity_id:
        raise ItemNotFound("There is no such item in the index.")
    return ItemAnswer.model_validate(await index.find(principal.tenant, (entity_type, entity_id)))
