"""Settings of indexes: the weight of vectors against words, how much is re-ranked, the language of the words."""

from typing import Annotated

from fastapi import Depends, Path

from mlplatform.auth import Permission, Principal, require
from mlplatform.service.json_route import ServiceRouter
from services.search.query.weights import Weights
from services.search.routes.dependencies import get_weights
from services.search.schemas import INDEX_NAME, IndexSettings, IndexSettingsAnswer

router = ServiceRouter(prefix="/api/v1/search/settings", tags=["search"])

IndexName = Annotated[str, Path(pattern=INDEX_NAME, description="Kind of items; * for all others.")]


@router.get("", summary="List the settings of indexes")
async def read_settings(
    principal: Annotated[Principal, require(Permission.READ)], weights: Annotated[Weights, Depends(get_weights)]
) -> list[IndexSettingsAnswer]:
    """Return the kinds of items that have settings of their own, of the caller's tenant."""
    return [IndexSettingsAnswer.model_validate(row) for row in await weights.read(principal.tenant)]


@router.get("/{entity_type}", summary="Show the settings of an index")
async def show_settings(
    entity_type: IndexName,
    principal: Annotated[Principal, require(Permission.READ)],
    weights: Annotated[Weights, Depends(get_weights)],
) -> IndexSettingsAnswer:
    """Return the settings of one kind of items, set or not, and how many items wait to be indexed in its language."""
    return IndexSettingsAnswer.model_validate(await weights.find(principal.tenant, entity_type))


@router.put("/{entity_type}", summary="Change the settings of an index")
async def change_settings(
    entity_type: IndexName,
    body: IndexSettings,
    principal: Annotated[Principal, require(Permission.INDEX)],
    weights: Annotated[Weights, Depends(get_weights)],
) -> IndexSettingsAnswer:
    """Set what queries that ask for this kind of items alone go by; what is left out stays as it is.

    It is in effect with the next query. Items that are stored already are indexed in another language in the
    background: `waiting` says how many are not yet.
    """
    return IndexSettingsAnswer.model_validate(await weights.set(principal, entity_type, body.change()))
