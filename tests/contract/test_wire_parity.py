"""MLflow's scoring protocol: the same answers as MLflow's own server, byte for byte, but for a list of differences."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import mlflow
import pytest
import pytest_asyncio

from tests.contract.wire.models import MODELS
from tests.contract.wire.published import Published, published
from tests.contract.wire.rows import ROWS, Row
from tests.contract.wire.stock import stock_servers
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, eventually, serving

SECRET = "secret"


@dataclass(frozen=True)
class Both:
    """The stock server, and ours on the same models."""

    stock: httpx.Client
    ours: httpx.AsyncClient
    prefix: str

    def ask_stock(self, row: Row) -> httpx.Response:
        """Ask the stock server."""
        return self.stock.post(f"/{row.model}/invocations", content=row.body, headers=headers_of(row))

    async def ask_ours(self, row: Row) -> httpx.Response:
        """Ask our server."""
        path = f"/models/{self.prefix}-{row.model}/invocations"
        return await self.ours.post(path, content=row.body, headers=headers_of(row))


def headers_of(row: Row) -> dict[str, str]:
    """Return the headers of a request."""
    return {} if row.content_type is None else {"Content-Type": row.content_type}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def both(stack_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    """The two servers."""
    folder, url = tmp_path_factory.mktemp("wire"), stack_env["ML_MLFLOW_URL"]
    with published(url, MODELS, folder) as models:
        folders = {name: Path(mlflow.artifacts.download_artifacts(uri)) for name, uri in models.uris.items()}
        publisher = Publisher(models.registry, models.prefix)
        with stock_servers(folders, folder) as stock:
            async with serving(stack_env, publisher, folder / "cache", ML_OTLP_ENDPOINT="") as service:
                await eventually(lambda: is_loaded(service, models))
                yield Both(stock, service.client, models.prefix)


async def is_loaded(service: Service, models: Published) -> bool:
    """Say whether all models are in memory."""
    rows = (await service.client.post("/v2/repository/index", json={"ready": True})).json()
    return {row["name"] for row in rows} >= {models.name(name) for name in models.uris}


@pytest.mark.asyncio(loop_scope="module")
class TestInvocations:
    """Each request of the table."""

    @pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
    async def test_answers_as_the_stock_server(self, both: Both, row: Row):
        stock, ours = both.ask_stock(row), await both.ask_ours(row)
        assert SECRET not in ours.text
        assert "stack_trace" not in ours.text
        if row.ours is None:
            assert_same(stock, ours)
        else:
            assert_differs_as_listed(row, stock, ours)


def assert_same(stock: httpx.Response, ours: httpx.Response) -> None:
    """Both answered the same."""
    assert ours.status_code == stock.status_code, (stock.text, ours.text)
    if stock.status_code == 200:
        assert ours.content == stock.content
        assert ours.headers["content-type"] == stock.headers["content-type"]
    elif stock.status_code == 415:
        assert ours.headers["content-type"] == stock.headers["content-type"]
    else:
        assert ours.json()["error_code"] == stock.json()["error_code"], (stock.text, ours.text)
        assert ours.json()["message"]


def assert_differs_as_listed(row: Row, stock: httpx.Response, ours: httpx.Response) -> None:
    """Ours answered what the table says, and the stock server did not."""
    assert row.ours is not None
    status, expected = row.ours
    assert ours.status_code == status, (stock.text, ours.text)
    if isinstance(expected, str):
        assert ours.json()["error_code"] == expected, ours.text
    elif expected is not None:
        assert ours.content == json.dumps(expected).encode()
    same = (stock.status_code, stock.content) == (ours.status_code, ours.content)
    code = None if status == 200 or stock.status_code in {200, 500} else stock.json()["error_code"]
    assert not same, "no difference: take it off the table"
    assert code != expected or code is None, "no difference: take it off the table"


@pytest.mark.asyncio(loop_scope="module")
class TestOther:
    """The endpoints beside it."""

    @pytest.mark.parametrize("path", ["/ping", "/version"])
    async def test_answers_as_the_stock_server(self, both: Both, path: str):
        assert_same(both.stock.get(f"/linear{path}"), await both.ours.get(path))
