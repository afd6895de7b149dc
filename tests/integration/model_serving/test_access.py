"""Who may call serving."""

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from unittest import mock

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from mlplatform.auth import Permission, Role, mint_token, route_permission
from services.model_serving.app import create_app
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, serving


@pytest.fixture
async def service(settings_env: dict[str, str], publisher: Publisher, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(settings_env, publisher, tmp_path, ML_AUTH_ENABLED="true") as running:
        yield running


def token_of(environment: dict[str, str], role: Role) -> dict[str, str]:
    with mock.patch.dict(os.environ, environment):
        settings = ServingSettings()
    token = mint_token(settings, subject="tester", tenant="default", roles=[role], ttl=timedelta(minutes=5))
    return {"Authorization": f"Bearer {token}"}


class TestRoutes:
    def test_each_declares_what_it_needs(self) -> None:
        app = create_app(ServingSettings())
        declared = {
            context.path: route_permission(context)
            for context in iter_route_contexts(app.routes)
            if context.path and context.path.startswith("/api/")
        }
        assert declared == {
            "/api/v1/predict": Permission.PREDICT,
            "/api/v1/feedback": Permission.PREDICT,
            "/api/v1/batch": Permission.PREDICT,
            "/api/v1/jobs": Permission.PREDICT,
            "/api/v1/jobs/{job}": Permission.PREDICT,
            "/api/v1/jobs/{job}/cancel": Permission.PREDICT,
            "/api/v1/jobs/{job}/events": Permission.PREDICT,
            "/api/v1/jobs/{job}/results": Permission.PREDICT,
            "/api/v1/jobs/{job}/retry": Permission.PREDICT,
            "/api/v1/batch/files": Permission.PREDICT,
            "/api/v1/batch/table": Permission.PREDICT,
            "/api/v1/jobs/{job}/report": Permission.PREDICT,
            "/api/v1/jobs/{job}/report.html": Permission.PREDICT,
            "/api/v1/jobs/{job}/results.{form}": Permission.PREDICT,
            "/api/v1/jobs/{job}/webhooks": Permission.PREDICT,
            "/api/v1/reviews": Permission.PREDICT,
            "/api/v1/reviews/accuracy": Permission.PREDICT,
            "/api/v1/reviews/bulk": Permission.PREDICT,
            "/api/v1/reviews/export": Permission.REGISTER,
            "/api/v1/reviews/{review:uuid}": Permission.PREDICT,
            "/api/v1/reviews/{review}/approve": Permission.PREDICT,
            "/api/v1/reviews/{review}/correct": Permission.PREDICT,
            "/api/v1/reviews/{review}/file": Permission.PREDICT,
            "/api/v1/reviews/{review}/reject": Permission.PREDICT,
            "/api/v1/webhook-key": Permission.KEYS,
            "/api/v1/models": Permission.READ,
            "/api/v1/models/{name}": Permission.READ,
            "/api/v1/models/{name}/versions/{version}": Permission.READ,
            "/api/v1/models/{name}/versions/{version}/example": Permission.READ,
            "/api/v1/models/{name}/traffic": Permission.PROMOTE,
            "/api/v1/models/{name}/traffic/abort": Permission.PROMOTE,
            "/api/v1/models/{name}/traffic/history": Permission.READ,
            "/api/v1/models/{name}/traffic/report": Permission.READ,
            "/api/v1/models/{name}/experiments/{experiment}": Permission.READ,
            "/api/v1/models/{name}/approvals": Permission.READ,
            "/api/v1/models/{name}/monitoring": Permission.READ,
            "/api/v1/models/{name}/monitoring/report": Permission.READ,
            "/api/v1/models/{name}/monitoring/windows": Permission.READ,
            "/api/v1/models/{name}/promotions": Permission.READ,
            "/api/v1/models/{name}/promotions/{promotion_id}/report": Permission.READ,
        }

    async def test_a_caller_without_a_token_is_401(self, service: Service) -> None:
        assert (await service.predict("m", [])).status_code == 401
        assert (await service.client.get("/api/v1/models")).status_code == 401

    async def test_a_viewer_reads_and_does_not_predict(self, service: Service, settings_env: dict[str, str]) -> None:
        headers = token_of(settings_env, Role.VIEWER)
        assert (await service.client.get("/api/v1/models", headers=headers)).status_code == 200
        assert (await self._predict(service, headers)).status_code == 403

    async def test_a_user_predicts(self, service: Service, settings_env: dict[str, str]) -> None:
        answer = await self._predict(service, token_of(settings_env, Role.USER))
        assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")

    async def _predict(self, service: Service, headers: dict[str, str]) -> httpx.Response:
        return await service.client.post("/api/v1/predict", json={"model": "none", "inputs": []}, headers=headers)
