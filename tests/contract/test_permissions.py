"""Every route of every service says who may call it."""

import importlib
import re

import pytest
from fastapi.routing import iter_route_contexts

from mlplatform.auth import Permission, route_permission

OPEN = {"/health", "/health/live", "/health/ready", "/metrics", "/ping", "/v2/health/live", "/v2/health/ready"}
CONVERTOR = re.compile(r":\w+(?=})")
"""What a parameter of a path must be, which the document says elsewhere."""
PAGES = ("/docs", "/openapi", "/static")


@pytest.mark.parametrize("service", ["model_serving", "model_serving.batch", "embedding", "search"])
class TestRoutes:
    """The routes as the application has them."""

    def test_each_has_a_permission(self, service: str, settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch):
        for name, value in settings_env.items():
            monkeypatch.setenv(name, value)
        app = importlib.import_module(f"services.{service}.app").create_app()
        found = {
            CONVERTOR.sub("", context.path): route_permission(context) for context in iter_route_contexts(app.routes)
        }
        documented = set(app.openapi()["paths"])
        assert documented <= set(found)
        assert [path for path in documented if found[path] is None] == []
        assert {path for path in documented if found[path] is Permission.PUBLIC} <= OPEN
        assert [path for path in set(found) - documented if not path.startswith(PAGES)] == []
