"""The traffic of a model over HTTP."""

from typing import Annotated, Any

from fastapi import Header, Response

from mlplatform.auth import Permission, Principal, require
from mlplatform.errors import PROBLEM_RESPONSES
from mlplatform.registry.stages import PRODUCTION
from mlplatform.service import ServiceRouter
from services.model_serving.routes.models import Cursor, Limit
from services.model_serving.serving import Serving, ServingParts
from services.model_serving.traffic.documents import Revision
from services.model_serving.traffic.schemas import (
    AbortRequest,
    ExperimentReport,
    RevisionPage,
    RevisionView,
    TargetView,
    TrafficChange,
    TrafficReport,
    TrafficView,
)

PREFIX = "/api/v1/models/{name}"
router = ServiceRouter(prefix=PREFIX, tags=["traffic"], dependencies=[require(Permission.READ)])
changes = ServiceRouter(prefix=PREFIX, tags=["traffic"])

Admin = Annotated[Principal, require(Permission.PROMOTE)]
IfMatch = Annotated[str | None, Header(max_length=64, description="The ETag of the document that is replaced, or *.")]
TAGGED: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"ETag": {"description": "The revision, for If-Match.", "schema": {"type": "string"}}}}
}
CHANGED: dict[int | str, dict[str, Any]] = {
    **TAGGED,
    412: {"description": "The document is at another revision.", "content": PROBLEM_RESPONSES[409]["content"]},
}


@router.get("/traffic", summary="Read the routing document", responses=TAGGED)
async def read_traffic(name: str, serving: ServingParts, response: Response) -> TrafficView:
    """Read how the traffic of a model is dealt out, and how far that is in effect on the replica that answers."""
    return _view(serving, await serving.traffic.administration.read(name), response)


@router.get("/traffic/history", summary="List former routing documents")
async def read_history(name: str, serving: ServingParts, limit: Limit = 50, cursor: Cursor = None) -> RevisionPage:
    """List who changed the traffic of a model, when and why, newest first."""
    revisions, following = await serving.traffic.documents.history(name, limit=limit, cursor=cursor)
    return RevisionPage(revisions=[RevisionView(**_fields(found)) for found in revisions], next_cursor=following)


@router.get("/traffic/report", summary="Compare routes and shadows")
async def read_report(name: str, serving: ServingParts) -> TrafficReport:
    """Read what each route did lately, and how the answers of shadows compare, over all replicas."""
    await serving.traffic.administration.read(name)
    return await serving.traffic.overview.report(name)


@router.get("/experiments/{experiment}", summary="Report an experiment")
async def read_experiment(name: str, experiment: str, serving: ServingParts) -> ExperimentReport:
    """Read what an experiment shows so far; the figures hold however often and whenever one looks."""
    return await serving.traffic.experiments.report(name, experiment)


@changes.put("/traffic", summary="Change the routing document", responses=CHANGED)
async def put_traffic(
    name: str,
    *,
    change: TrafficChange,
    serving: ServingParts,
    principal: Admin,
    response: Response,
    if_match: IfMatch = None,
) -> TrafficView:
    """Replace how the traffic of a model is dealt out; every replica follows within a second.

    Versions that the document names are brought into memory first; until one is, its traffic goes to production.
    """
    after = await serving.traffic.administration.put(
        name, change.document, if_match=if_match, actor=principal, reason=change.reason
    )
    return _view(serving, after, response)


@changes.delete("/traffic", summary="Clear the routing document", responses=CHANGED)
async def clear_traffic(
    name: str, serving: ServingParts, principal: Admin, response: Response, if_match: IfMatch = None
) -> TrafficView:
    """Send all traffic of a model to production again; the history stays."""
    after = await serving.traffic.administration.clear(name, if_match=if_match, actor=principal, reason=None)
    return _view(serving, after, response)


@changes.post("/traffic/abort", summary="Stop a canary or an arm", responses=CHANGED)
async def abort_traffic(
    name: str,
    *,
    wanted: AbortRequest,
    serving: ServingParts,
    principal: Admin,
    response: Response,
    if_match: IfMatch = None,
) -> TrafficView:
    """Take all traffic away from a canary or an arm of an experiment; the rest of the document stays."""
    after = await serving.traffic.administration.abort(
        name, wanted.route, if_match=if_match, actor=principal, reason=wanted.reason
    )
    return _view(serving, after, response)


def _view(serving: Serving, found: Revision, response: Response) -> TrafficView:
    response.headers["ETag"] = f'"{found.revision}"'
    plan = serving.traffic.router.plans.get(found.model)
    targets = [] if found.document is None else [target.reference for target in found.document.targets()]
    if found.document is not None and found.document.primary != PRODUCTION:
        targets.insert(0, f"@{found.document.primary}")
    return TrafficView(
        **_fields(found),
        in_effect=None if plan is None else plan.revision,
        targets=[_target(serving, found.model, reference) for reference in dict.fromkeys(targets)],
        suspended=serving.traffic.router.vetoed(found.model),
    )


def _target(serving: Serving, model: str, reference: str) -> TargetView:
    state = serving.traffic.targets.state(model, reference)
    return TargetView(target=reference, state=state.state, version=state.version, reason=state.reason)


def _fields(found: Revision) -> dict[str, Any]:
    return {
        "model": found.model,
        "revision": found.revision,
        "document": found.document,
        "action": found.action,
        "actor": found.actor,
        "reason": found.reason,
        "changed_at": found.changed_at,
    }
