"""The endpoints of the protocol."""

from collections.abc import Awaitable, Callable

from mlplatform.auth import Permission
from mlplatform.service import DirectRequest, DirectResponse, DirectRoute
from services.model_serving.protocols.open_inference import documents, models, repository, server
from services.model_serving.protocols.open_inference.errors import render_error

TAGS = ("open inference protocol",)
MODEL = "/v2/models/{name}"
VERSION = MODEL + "/versions/{choice}"
REPOSITORY = "/v2/repository"
Handler = Callable[[DirectRequest], Awaitable[DirectResponse]]


def _route(method: str, path: str, permission: Permission, handle: Handler) -> DirectRoute:
    return DirectRoute(method, path, permission, handle, render_error, documents.operation(path, handle.__doc__), TAGS)


def _of_models(method: str, suffix: str, handle: Handler) -> list[DirectRoute]:
    return [_route(method, path + suffix, Permission.PREDICT, handle) for path in (MODEL, VERSION)]


ROUTES = [
    *_of_models("POST", "/infer", models.infer),
    _route("GET", "/v2", Permission.READ, server.show_server),
    _route("GET", "/v2/", Permission.READ, server.show_server),
    _route("GET", "/v2/models/stats", Permission.READ, models.show_statistics),
    *_of_models("GET", "/ready", models.show_readiness),
    *_of_models("GET", "/stats", models.show_statistics),
    *_of_models("GET", "", models.show_model),
    _route("POST", f"{REPOSITORY}/index", Permission.READ, repository.list_models),
    _route("POST", REPOSITORY + "/models/{name}/load", Permission.PROMOTE, repository.load),
    _route("POST", REPOSITORY + "/models/{name}/unload", Permission.PROMOTE, repository.unload),
]
