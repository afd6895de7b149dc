"""The platform's own protocol: `POST /api/v1/predict`."""

import asyncio
from collections.abc import Iterator

from mlplatform.auth import Permission
from mlplatform.service import DirectRequest, DirectResponse, DirectRoute, check_content_type, json_body, validate_body
from services.model_serving.calls import Answer, Call
from services.model_serving.dataplane import LARGE_BODY
from services.model_serving.engine.loaded_model import LoadedModel, Params
from services.model_serving.engine.plain import render, to_plain
from services.model_serving.protocols.addressing import addressed
from services.model_serving.protocols.json_body import read_json_body, refuse_repeated_keys
from services.model_serving.protocols.large import is_large
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
    check_content_type(request.headers)
    body = request.body
    wanted = _read(body) if len(body) < LARGE_BODY else await asyncio.to_thread(_read, body)
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
            size=len(body),
            **addressed(request, version=wanted.version, alias=wanted.alias),
        )
    )
    identity = answer.model.identity
    content: dict[str, object] = {"model": identity.name, "version": identity.version}
    if wanted.alias is not None:
        content["alias"] = wanted.alias
    content["predictions"] = answer.predictions
    if wanted.explain:
        content["explanations"] = (await serving.explanations.explain(answer.model, answer.given)).wire()
    text = await asyncio.to_thread(_write, content) if is_large(answer.predictions) else _write(content)
    return DirectResponse(text, headers=model_headers(answer))


def _write(content: dict[str, object]) -> bytes:
    content["predictions"] = to_plain(content["predictions"])
    return render(content)


def _read(body: bytes) -> PredictRequest:
    content = read_json_body(body)
    refuse_repeated_keys(body, _objects(content))
    return validate_body(content, PredictRequest)


def _objects(content: object) -> Iterator[object]:
    """Walk over the dictionaries of a body that have keys of the caller's."""
    if isinstance(content, dict):
        inputs = content.get("inputs")
        yield from (content, inputs, content.get("params"))
        if isinstance(inputs, list):
            yield from inputs


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
            "requestBody": json_body(PredictRequest),
            "responses": {200: {"model": PredictResponse, "headers": HEADERS}},
        },
        tags=("predictions",),
    )
]
