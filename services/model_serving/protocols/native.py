"""The platform's own protocol: `POST /api/v1/predict`."""

from mlplatform.auth import Permission
from mlplatform.service import DirectRequest, DirectResponse, DirectRoute, read_json
from services.model_serving.calls import Answer, Call
from services.model_serving.engine.loaded_model import LoadedModel, Params
from services.model_serving.engine.plain import render, to_plain
from services.model_serving.protocols.addressing import addressed
from services.model_serving.schemas import PredictRequest, PredictResponse
from services.model_serving.serving import serving_of
from services.model_serving.signature import ModelInput

HEADERS = {
    name: {"description": text, "schema": {"type": "string"}}
    for name, text in {
        "X-Model-Name": "The model that answered.",
        "X-Model-Version": "Its version.",
        "X-Model-Route": "How the version was chosen: primary, canary, ab: and an arm, version or alias.",
    }.items()
}
DESCRIPTION = """Answer with the version in production, or with the version or alias that is named.

Inputs are checked against the model's signature before the model sees them: a column that is missing or unknown, a
number where text is declared, or 1.9 where an integer is, is answered 422 with the field.
"""


async def predict(request: DirectRequest) -> DirectResponse:
    """Answer a prediction."""
    wanted = read_json(request, PredictRequest)
    serving = serving_of(request.app)

    def read(model: LoadedModel) -> tuple[ModelInput, Params]:
        given, params = model.read(wanted.inputs, wanted.params)
        if wanted.explain:
            serving.explanations.check(model, given)
        return given, params

    answer = await serving.dataplane.infer(
        Call(
            model=wanted.model,
            read=read,
            size=len(request.body),
            **addressed(request, version=wanted.version, alias=wanted.alias),
        )
    )
    identity = answer.model.identity
    content: dict[str, object] = {"model": identity.name, "version": identity.version}
    if wanted.alias is not None:
        content["alias"] = wanted.alias
    content["predictions"] = to_plain(answer.predictions)
    if wanted.explain:
        content["explanations"] = (await serving.explanations.explain(answer.model, answer.given)).wire()
    return DirectResponse(render(content), headers=model_headers(answer))


def model_headers(answer: Answer) -> tuple[tuple[str, str], ...]:
    """Return the headers that say who answered, for every protocol."""
    identity = answer.model.identity
    return (
        ("x-model-name", header_text(identity.name)),
        ("x-model-version", identity.version),
        ("x-model-route", answer.route),
    )


def header_text(name: str) -> str:
    """Return a name as a header may carry it; other signs than ASCII are written as escapes."""
    return name if name.isascii() else name.encode("ascii", "backslashreplace").decode()


ROUTES = [
    DirectRoute(
        "POST",
        "/api/v1/predict",
        Permission.PREDICT,
        predict,
        openapi={
            "summary": "Predict with a model",
            "description": DESCRIPTION,
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": PredictRequest.model_json_schema()}},
            },
            "responses": {200: {"model": PredictResponse, "headers": HEADERS}},
        },
        tags=("predictions",),
    )
]
