"""Settings of indexes: the weight of vectors against words, and how much is re-ranked."""

from typing import Annotated

from fastapi import Depends, Path

from mlplatform.auth import Permission, Principal, require
from mlplatform.service.json_route import ServiceRouter
from services.search.query.weights import Weights
from services.search.routes.dependencies import get_weights
from services.search.schemas import INDEX_NAME, IndexSettings, IndexSettingsAnswer

router = ServiceRouter(prefix="/api/v1/search/settings", tags=["search"])


@router.get("", summary="List the settings of indexes")
async def read_settings(
    principal: Annotated[Principal, require(Permission.READ)], weights: Annotated[Weights, Depends(get_weights)]
) -> list[IndexSettingsAnswer]:
    """Return the kinds of items that have settings of their own, of the caller's tenant."""
    return [IndexSettingsAnswer.model_validate(row) for row in await weights.read(principal.tenant)]


@router.put("/{entity_type}", summary="Change the settings of an index")
async def change_settings(
    entity_type: Annotated[str, Path(pattern=INDEX_NAME, description="Kind of items; * for all others.")],
    body: IndexSettings,
    principal: Annotated[Principal, require(Permission.INDEX)],
    weights: Annotated[Weights, Depends(get_weights)],
) -> IndexSettingsAnswer:
    """Set what queries that ask for this kind of items alone go by; what is left out stays as it is.

    It is in effect with the next query.
    """
    return IndexSettingsAnswer.model_validate(await weights.set(principal, entity_type, body.change()))
