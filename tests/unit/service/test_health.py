import asyncio

import pytest

from mlplatform.errors import DependencyUnavailable
from mlplatform.service import HealthChecks, health


class Store:
    """A dependency that can be switched off and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None

    async def ping(self) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def checks(store: Store) -> HealthChecks:
    checks = HealthChecks()
    checks.register("store", store.ping)
    return checks


class TestReport:
    async def test_all_answer(self, checks: HealthChecks) -> None:
        assert (await checks.report()).model_dump() == {
            "status": "ready",
            "checks": {"store": {"status": "ok", "reason": None}},
        }

    async def test_one_is_down(self, checks: HealthChecks) -> None:
        async def fail() -> None:
            raise DependencyUnavailable("mlflow", "mlflow has no experiment")

        checks.register("mlflow", fail)
        report = await checks.report()
        assert report.status == "not ready"
        assert report.checks["mlflow"].reason == "mlflow has no experiment"
        assert report.checks["store"].status == "ok"

    async def test_words_of_a_driver_stay_out(self, checks: HealthChecks, store: Store) -> None:
        store.error = OSError("connection to 10.0.0.7 refused for user ml_app")
        assert (await checks.report()).checks["store"].reason == "OSError"

    async def test_one_hangs(self, checks: HealthChecks, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(health, "CHECK_SECONDS", 0.05)
        checks.register("slow", asyncio.Event().wait)
        assert (await checks.report()).checks["slow"].reason == "no answer within 0.05 s"

    async def test_many_callers_ask_once(self, checks: HealthChecks, store: Store) -> None:
        await asyncio.gather(*(checks.report() for _ in range(20)))
        assert store.asked == 1

    async def test_recovery_shows_once_the_report_is_old(
        self, checks: HealthChecks, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 100.0
        monkeypatch.setattr(health, "monotonic", lambda: now)
        store.error = OSError()
        assert (await checks.report()).status == "not ready"
        store.error = None
        assert (await checks.report()).status == "not ready"
        now += health.CACHE_SECONDS
        assert (await checks.report()).status == "ready"
