"""A registry, a workbench and a promoter over the running stack, with a ledger of the test's own."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from mlplatform.audit import AuditLog
from mlplatform.database import Database
from mlplatform.objects import ObjectStore
from mlplatform.registry.promotion import Promoter
from mlplatform.registry.publication import publish_outbox
from mlplatform.registry.registry import Registry
from mlplatform.registry.settings import PromotionSettings
from mlplatform.registry.steps import Observer, ignore
from mlplatform.registry.transition import Transition
from mlplatform.registry.verification import Verification
from tests.fixtures.database import DatabaseUrls
from tests.integration.registry.workbench import Workbench

SERVABLE = '{"ok": true, "load_seconds": 0.84, "predict_ms": 3.71, "rss_bytes": 511705088, "reason": null}'


@pytest.fixture
def environment(settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """The stack's settings in the environment, with a probe that finds every version servable."""
    for name, value in settings_env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ML_OTLP_ENDPOINT", raising=False)
    probe = tmp_path / "probe"
    probe.write_text(f"#!/bin/sh\necho '{SERVABLE}'\n")
    probe.chmod(0o755)
    monkeypatch.setenv("ML_SERVABILITY_COMMAND", str(probe))
    return monkeypatch


@pytest.fixture
def settings(environment: pytest.MonkeyPatch) -> PromotionSettings:
    return PromotionSettings()


@pytest.fixture
def registry(stack_env: dict[str, str]) -> Registry:
    return Registry(stack_env["ML_MLFLOW_URL"])


@pytest.fixture
def bench(registry: Registry, unique: str) -> Iterator[Workbench]:
    """A model of the test's own, deleted afterwards."""
    bench = Workbench(registry, unique)
    yield bench
    bench.delete()


@pytest.fixture
def make_promoter(settings: PromotionSettings, registry: Registry) -> Iterator[Callable[[Observer], Promoter]]:
    stores: list[ObjectStore] = []

    def make(observe: Observer = ignore) -> Promoter:
        objects = ObjectStore(settings)
        stores.append(objects)
        audit = AuditLog(Database(settings.database_url.get_secret_value()))
        publish = partial(publish_outbox, settings)
        return Promoter(settings, registry, objects, audit, publish=publish, observe=observe)

    yield make
    for objects in stores:
        objects.close()


@pytest.fixture
def promoter(make_promoter: Callable[..., Promoter]) -> Promoter:
    return make_promoter()


@pytest.fixture
def verification(settings: PromotionSettings, registry: Registry) -> Verification:
    audit = AuditLog(Database(settings.database_url.get_secret_value()))
    return Verification(settings, registry, Transition(registry, audit, ignore))


@pytest.fixture
def rows(database_urls: DatabaseUrls) -> Callable[[str], list[dict[str, Any]]]:
    """Read a table of the test's database, in the order of its ids."""

    def read(table: str) -> list[dict[str, Any]]:
        with psycopg.connect(database_urls.owner, row_factory=dict_row) as connection:
            return connection.execute(psycopg.sql.SQL("SELECT * FROM {} ORDER BY id").format(_name(table))).fetchall()

    return read


def _name(table: str) -> psycopg.sql.Identifier:
    return psycopg.sql.Identifier(table)
