"""What the three services promise every caller, with authentication on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from mlplatform.auth import Role
from tests.contract.secured import SERVICES, Secured, run_services

CONFIG = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("fuzzing.py")
FORGED = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJ4Iiwicm9sZXMiOlsibWxfYWRtaW4iXX0."


@pytest.fixture(scope="module")
def secured(stack_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The three services."""
    with run_services(stack_env, tmp_path_factory.mktemp("secured")) as services:
        yield services


@pytest.fixture
def search(secured: Secured) -> str:
    """The address of the search service's API."""
    return f"{secured.urls['search']}/api/v1"


class TestDocument:
    """The OpenAPI document and the service say the same, whatever is sent."""

    @pytest.mark.parametrize("service", SERVICES)
    def test_no_answer_breaks_the_document(self, secured: Secured, service: str, tmp_path: Path):
        authorization = secured.headers(Role.ML_ADMIN, tenant="fuzz")["Authorization"]
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
            *("run", f"{secured.urls[service]}/openapi.json", "--header", f"Authorization: {authorization}"),
        ]
        environment = os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS)}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280, check=False
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


class TestCredentials:
    """Nobody gets in with a credential that is missing, forged, expired or too weak, and the refusal is on record."""

    @pytest.mark.parametrize("credential", [{}, {"Authorization": f"Bearer {FORGED}"}, {"X-API-Key": "mlk_x.y"}])
    @pytest.mark.parametrize(
        ("service", "path", "body"),
        [
            ("serving", "predict", {"model": "m", "inputs": [{"x": 1}]}),
            ("embedding", "embed", {"texts": ["a"]}),
            ("search", "search", {"query": "a"}),
        ],
    )
    def test_a_stranger_is_refused(self, secured: Secured, service: str, path: str, body: object, credential: dict):
        answer = httpx.post(f"{secured.urls[service]}/api/v1/{path}", json=body, headers=credential)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert "WWW-Authenticate" in answer.headers

    def test_an_expired_token_is_refused(self, secured: Secured, search: str):
        headers = secured.headers(Role.USER, ttl=timedelta(minutes=-10))
        assert httpx.post(f"{search}/search", json={"query": "a"}, headers=headers).status_code == 401

    def test_a_reader_may_not_index_and_that_is_audited(self, secured: Secured, search: str, unique: str):
        items = {"items": [{"entity_type": "note", "entity_id": "1", "text": "a"}]}
        headers = secured.headers(Role.VIEWER, tenant=unique)
        assert httpx.post(f"{search}/index", json=items, headers=headers).status_code == 403
        with psycopg.connect(secured.environment["ML_DATABASE_OWNER_URL"]) as database:
            found = database.execute("SELECT action, resource FROM audit_events WHERE tenant_id = %s", (unique,))
            assert found.fetchall() == [("access.denied", "POST /api/v1/index")]


class TestTenants:
    """A tenant sees its own items and no others."""

    def test_items_never_cross(self, secured: Secured, search: str, unique: str):
        mine, theirs = f"{unique}-a", f"{unique}-b"
        for tenant in (mine, theirs):
            items = [{"entity_type": "note", "entity_id": tenant, "text": "the yield curve inverted"}]
            headers = secured.headers(Role.PUBLISHER, tenant=tenant)
            answer = httpx.post(f"{search}/index", json={"items": items, "wait": True}, headers=headers, timeout=60)
            assert answer.status_code < 300, answer.text
        headers = secured.headers(Role.PUBLISHER, tenant=mine)
        found = httpx.post(f"{search}/search", json={"query": "yield curve"}, headers=headers, timeout=60).json()
        assert [result["entity_id"] for result in found["results"]] == [mine]
        assert httpx.get(f"{search}/index/note/{theirs}", headers=headers).status_code == 404
        deleted = httpx.delete(f"{search}/index", params={"entity_type": "note", "entity_id": theirs}, headers=headers)
        assert deleted.status_code < 500
        owner = secured.headers(Role.PUBLISHER, tenant=theirs)
        assert httpx.get(f"{search}/index/note/{theirs}", headers=owner).status_code == 200

    def test_a_body_cannot_name_another_tenant(self, secured: Secured, search: str, unique: str):
        headers = secured.headers(Role.USER, tenant=unique)
        answer = httpx.post(f"{search}/search", json={"query": "a", "tenant": "other"}, headers=headers)
        assert answer.status_code == 403
