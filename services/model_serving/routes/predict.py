"""Predictions over HTTP."""

from fastapi import Response

from mlplatform.auth import Permission, require
from mlplatform.service import ServiceRouter
from services.model_serving.engine.plain import render
from services.model_serving.schemas import PredictRequest, PredictResponse
from services.model_serving.serving import ServingParts

router = ServiceRouter(prefix="/api/v1", tags=["predictions"])

HEADERS = {
    name: {"description": text, "schema": {"type": "string"}}
    for name, text in {
        "X-Model-Name": "The model that answered.",
        "X-Model-Version": "Its version.",
        "X-Model-Route": "How the version was chosen: primary, version or alias.",
    }.items()
}


@router.post(
    "/predict",
    summary="Predict with a model",
    dependencies=[require(Permission.PREDICT)],
    response_model=PredictResponse,
    response_model_exclude_none=True,
    responses={200: {"headers": HEADERS}},
)
async def predict(call: PredictRequest, serving: ServingParts) -> Response:
    """Answer with the version in production, or with the version or alias that is named.

    Inputs are checked against the model's signature before the model sees them: a column that is missing or unknown, a
    number where text is declared, or 1.9 where an integer is, is answered 422 with the field.
    """
    choice = await serving.versions.choose(call.model, version=call.version, alias=call.alias)
    predictions = await serving.engine.predict(choice.model, call.inputs, call.params, route=choice.route)
    identity = choice.model.identity
    content: dict[str, object] = {"model": identity.name, "version": identity.version}
    if call.alias is not None:
        content["alias"] = call.alias
    content["predictions"] = predictions
    headers = {"X-Model-Name": header_text(identity.name), "X-Model-Version": identity.version}
    return Response(render(content), media_type="application/json", headers={**headers, "X-Model-Route": choice.route})


def header_text(name: str) -> str:
    """Return a name as a header may carry it; other signs than ASCII are written as escapes."""
    return name.encode("ascii", "backslashreplace").decode()
