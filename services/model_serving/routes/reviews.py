"""Reviews of results over HTTP."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from mlplatform.auth import Permission, Principal, require
from mlplatform.service import ServiceRouter
from services.model_serving.batch.review.describing import describe_review
from services.model_serving.batch.review.repository import Choice
from services.model_serving.batch.review.reviews import Reviews
from services.model_serving.batch.review.schemas import (
    BulkDecided,
    BulkDecision,
    Correction,
    DayAccuracy,
    Review,
    ReviewAccuracy,
    ReviewNote,
    ReviewPage,
    ReviewStateName,
)
from services.model_serving.routes.exports import REDIRECT
from services.model_serving.routes.models import Cursor
from services.model_serving.schemas import MODEL_NAME
from services.model_serving.serving import get_serving

router = ServiceRouter(prefix="/api/v1", tags=["reviews"])

LINES = "application/x-ndjson"
EXPORT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One example a line: `input`; `file`, when it was one, with the `path` to fetch it from and, of "
        "one in an archive, its name there as `member` and its `place` among the entries; `label`; and `lineage` with "
        "where it comes from.",
        "content": {LINES: {"schema": {"type": "string"}}},
    }
}


def get_reviews(request: Request) -> Reviews:
    """Return the reviews of the running service."""
    return get_serving(request).batch.reviews


OwnReviews = Annotated[Reviews, Depends(get_reviews)]
Caller = Annotated[Principal, require(Permission.PREDICT)]
OneModel = Annotated[str, Query(pattern=MODEL_NAME, description="The model.")]
Version = Annotated[str | None, Query(max_length=20, description="Only this version.")]
Confidence = Annotated[float | None, Query(ge=0, le=1)]


@router.get("/reviews", summary="List reviews")
async def list_reviews(
    principal: Caller,
    reviews: OwnReviews,
    *,
    state: Annotated[ReviewStateName | None, Query(description="Only reviews in this state.")] = None,
    model: Annotated[str | None, Query(pattern=MODEL_NAME, description="Only of this model.")] = None,
    version: Version = None,
    job: Annotated[UUID | None, Query(description="Only of this job.")] = None,
    min_confidence: Confidence = None,
    max_confidence: Confidence = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Entries in a page.")] = 50,
    cursor: Cursor = None,
) -> ReviewPage:
    """List results that were less sure than their jobs asked for, newest first."""
    choice = Choice(state=state, model=model, version=version, job=job, least=min_confidence, most=max_confidence)
    rows, following = await reviews.page(principal.tenant, choice, limit=limit, cursor=cursor)
    return ReviewPage(reviews=[Review(**describe_review(row)) for row in rows], next_cursor=following)


@router.get("/reviews/accuracy", summary="See how good the reviewed answers were")
async def read_accuracy(
    principal: Caller,
    reviews: OwnReviews,
    *,
    model: OneModel,
    days: Annotated[int, Query(ge=1, le=3660, description="How far back to look.")] = 90,
) -> ReviewAccuracy:
    """Count decisions by day and version; only answers that were reviewed count, which are the least sure ones."""
    found = await reviews.accuracy(principal.tenant, model, timedelta(days=days))
    return ReviewAccuracy(model=model, days=[DayAccuracy(**one) for one in found])


@router.get(
    "/reviews/export", summary="Export reviews to train with", response_class=StreamingResponse, responses=EXPORT
)
async def export_reviews(
    principal: Annotated[Principal, require(Permission.REGISTER)],
    reviews: OwnReviews,
    *,
    model: OneModel,
    version: Version = None,
    job: Annotated[UUID | None, Query(description="Only of this job.")] = None,
) -> StreamingResponse:
    """Stream approved and corrected reviews as lines of JSON; what is decided after the call is not among them."""
    lines = await reviews.export(principal, Choice(model=model, version=version, job=job), _file_path)
    return StreamingResponse(lines, media_type=LINES)


@router.post("/reviews/bulk", summary="Decide many reviews")
async def decide_reviews(wanted: BulkDecision, principal: Caller, reviews: OwnReviews) -> BulkDecided:
    """Approve or reject all pending reviews of a model with such a confidence."""
    choice = Choice(
        model=wanted.model,
        version=wanted.version,
        job=wanted.job,
        least=wanted.min_confidence,
        most=wanted.max_confidence,
    )
    return BulkDecided(decided=await reviews.decide_all(principal, choice, wanted.decision))


@router.get("/reviews/{review:uuid}", summary="Read a review")  # `bulk` is none, and is not read
async def read_review(review: UUID, principal: Caller, reviews: OwnReviews) -> Review:
    """Read a review of the caller's tenant."""
    return Review(**describe_review(await reviews.find(principal.tenant, review)))


@router.get(
    "/reviews/{review}/file",
    summary="Fetch the file that a review is about",
    status_code=307,
    response_class=RedirectResponse,
    responses=REDIRECT,
)
async def fetch_file(review: UUID, principal: Caller, reviews: OwnReviews) -> Response:
    """Go to the file as it was uploaded; for one in an archive that is the archive."""
    return RedirectResponse(await reviews.file(principal.tenant, review))


@router.post("/reviews/{review}/approve", summary="Say that an answer is right")
async def approve_review(
    review: UUID, principal: Caller, reviews: OwnReviews, said: ReviewNote | None = None
) -> Review:
    """Approve an answer."""
    return Review(**describe_review(await reviews.decide(principal, review, "approved", note=_note(said))))


@router.post("/reviews/{review}/correct", summary="Say what the answer should have been")
async def correct_review(review: UUID, wanted: Correction, principal: Caller, reviews: OwnReviews) -> Review:
    """Correct an answer; the correction is exported to train with."""
    row = await reviews.decide(principal, review, "corrected", label=wanted.label, note=wanted.note)
    return Review(**describe_review(row))


@router.post("/reviews/{review}/reject", summary="Say that there is no right answer")
async def reject_review(review: UUID, principal: Caller, reviews: OwnReviews, said: ReviewNote | None = None) -> Review:
    """Leave an item out: it counts neither way, and is not exported."""
    return Review(**describe_review(await reviews.decide(principal, review, "rejected", note=_note(said))))


def _file_path(review: UUID) -> str:
    return f"{router.prefix}/reviews/{review}/file"


def _note(said: ReviewNote | None) -> str | None:
    return None if said is None else said.note
