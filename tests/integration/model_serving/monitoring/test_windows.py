"""Drift of a served model, from its predictions to the API, the metrics and the page."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from prometheus_client import REGISTRY

from mlplatform.monitoring.profile import make_profile
from mlplatform.monitoring.storage import attach_profile, read_profile
from mlplatform.registry import tags
from mlplatform.registry.digest import artifact_digest
from services.model_serving.monitoring import repository
from tests.integration.model_serving.monitoring.watched import Watched, shifted, watched
from tests.integration.model_serving.publisher import Publisher, frame_of

EMPTY = {"status": "no_reference", "columns": [], "traffic": {}, "quality": []}


async def filled(
    service: Watched, *, versions: Sequence[str], times: int, findings: Mapping[str, object] = EMPTY
) -> None:
    """Store windows of versions a second apart, the same times for all."""
    now = datetime.now(UTC)
    async with service.database.transaction() as connection:
        for number in range(times):
            for version in versions:
                ended = now - timedelta(seconds=number)
                await repository.insert_window(
                    connection,
                    model=service.model,
                    version=version,
                    started_at=ended,
                    ended_at=ended,
                    rows=1,
                    alarm=False,
                    findings=findings,
                )


class TestProfiles:
    def test_one_of_training_is_part_of_what_the_digest_covers(self, service: Watched, tmp_path: Path) -> None:
        registry = service.publisher.registry
        folder = registry.download(service.model, service.version.version, tmp_path / "other")
        assert artifact_digest(folder) == service.version.digest
        found = read_profile(registry, service.version, folder)
        assert found is not None
        assert set(found.inputs) == {"a", "b", "c"}
        assert read_profile(registry, service.version) == found

    def test_one_that_comes_later_leaves_the_artifacts_alone(self, service: Watched, tmp_path: Path) -> None:
        registry = service.publisher.registry
        later = make_profile(frame_of(500, seed=3))
        attach_profile(registry, service.version, later)
        version = registry.get_version(service.model, service.version.version)
        assert artifact_digest(registry.download(service.model, version.version, tmp_path / "o")) == version.digest
        assert read_profile(registry, version) == later


class TestWindows:
    async def test_data_as_in_training_raises_no_alarm(self, service: Watched) -> None:
        await service.asked(frame_of(600, seed=5))
        state = await service.evaluated()
        [window] = state["versions"]
        assert (window["status"], window["alarm"], state["alarm"]) == ("compared", False, False)
        assert window["rows"] >= 600
        assert {column["name"] for column in window["columns"]} == {"a", "b", "c", "prediction"}
        assert all(column["level"] != "major" for column in window["columns"])

    async def test_a_shifted_column_and_the_predictions_raise_the_alarm(self, service: Watched) -> None:
        await service.asked(shifted(frame_of(600, seed=6), "b"))
        state = await service.evaluated()
        levels = {column["name"]: column["level"] for column in state["versions"][0]["columns"]}
        assert state["alarm"]
        assert (levels["b"], levels["prediction"]) == ("major", "major")
        assert {levels["a"], levels["c"]} <= {"none", "minor"}

    async def test_too_few_rows_are_not_compared(self, service: Watched) -> None:
        await service.asked(frame_of(30))
        [window] = (await service.evaluated())["versions"]
        assert (window["status"], window["alarm"], window["columns"]) == ("too_few_rows", False, [])

    async def test_without_a_profile_there_is_traffic_and_no_drift(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        async with watched(settings_env, publisher, tmp_path, profile=False) as service:
            await service.asked(shifted(frame_of(300)))
            [window] = (await service.evaluated())["versions"]
        assert (window["status"], window["columns"]) == ("no_reference", [])
        assert window["traffic"]["rows"] >= 300
        assert len(window["traffic"]["latency_ms"]) == 3

    async def test_a_profile_of_other_columns_is_not_compared(self, service: Watched) -> None:
        profile = make_profile(None, pd.DataFrame({"label": ["cat", "dog"] * 200}))
        attach_profile(service.publisher.registry, service.version, profile)
        await service.asked(frame_of(300))
        [window] = (await service.evaluated())["versions"]
        assert (window["status"], window["alarm"], window["columns"]) == ("not_comparable", False, [])

    async def test_rows_of_every_tenant_count(self, service: Watched) -> None:
        await service.asked(frame_of(300, seed=8))
        async with service.database.transaction() as connection:
            cursor = await connection.execute("SELECT count(*) AS visible FROM prediction_log")
            assert await cursor.fetchone() == {"visible": 0}
        assert (await service.evaluated())["versions"][0]["rows"] >= 300

    async def test_a_tag_that_excludes_a_column_takes_it_out_of_the_comparison(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        async with watched(settings_env, publisher, tmp_path, model_tags=[(tags.LOG_EXCLUDE, "a")]) as service:
            await service.asked(frame_of(300))
            [window] = (await service.evaluated())["versions"]
        assert {column["name"] for column in window["columns"]} == {"b", "c", "prediction"}

    async def test_a_stored_figure_without_a_number_is_left_out(self, service: Watched) -> None:
        await service.ask(frame_of(1))
        await service.evaluated()
        quality = [
            {
                "version": "1",
                "route": "primary",
                "task": "regression",
                "labels": 1,
                "incomparable": 0,
                "metrics": {"rmse": {"value": None, "low": None, "high": None}},
            }
        ]
        async with service.database.transaction() as connection:
            now = datetime.now(UTC)
            await repository.insert_window(
                connection,
                model=service.model,
                version=service.version.version,
                started_at=now,
                ended_at=now,
                rows=1,
                alarm=False,
                findings={"status": "no_reference", "columns": [], "traffic": {}, "quality": quality},
            )
        answer = await service.client.get(f"/api/v1/models/{service.model}/monitoring")
        assert answer.status_code == 200
        assert answer.json()["versions"][0]["quality"][0]["metrics"] == {}


class TestMetrics:
    async def test_show_the_newest_window(self, service: Watched) -> None:
        await service.asked(shifted(frame_of(400, seed=9), "c"))
        await service.evaluated()
        await service.running.serving.monitoring.upkeep.do_what_is_due()
        labels = {"model": service.model, "version": service.version.version}
        score = REGISTRY.get_sample_value("ml_drift_score", labels | {"part": "input", "column": "c"})
        quiet = REGISTRY.get_sample_value("ml_drift_score", labels | {"part": "input", "column": "a"})
        assert score is not None
        assert quiet is not None
        assert score > 0.5 > quiet
        assert REGISTRY.get_sample_value("ml_drift_alarm", labels | {"part": "input"}) == 1


class TestRoutes:
    async def test_windows_are_listed_newest_first(self, service: Watched) -> None:
        await service.asked(frame_of(250))
        await service.evaluated()
        await service.evaluated()
        answer = await service.client.get(f"/api/v1/models/{service.model}/monitoring/windows")
        ends = [window["ended_at"] for window in answer.json()["windows"]]
        assert len(ends) == 2
        assert ends == sorted(ends, reverse=True)

    async def test_windows_come_in_pages(self, service: Watched) -> None:
        await filled(service, versions=("1", "2", "10"), times=4)
        path = f"/api/v1/models/{service.model}/monitoring/windows"
        seen: list[tuple[str, str]] = []
        cursor: dict[str, str] = {}
        for _ in range(10):
            page = (await service.client.get(path, params={"limit": "5"} | cursor)).json()
            seen += [(window["ended_at"], window["version"]) for window in page["windows"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert len(seen) == len(set(seen)) == 12
        assert seen == sorted(seen, reverse=True)
        one = (await service.client.get(path, params={"version": "10"})).json()
        assert [window["version"] for window in one["windows"]] == ["10"] * 4
        assert one["next_cursor"] is None

    @pytest.mark.parametrize("cursor", ["", "x", "1", "1.x", "9" * 18 + ".1", "1.1234567890", "1.1.1", "\u0663.1"])
    async def test_a_cursor_that_no_page_gave_is_refused(self, service: Watched, cursor: str) -> None:
        path = f"/api/v1/models/{service.model}/monitoring/windows"
        answer = await service.client.get(path, params={"cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")

    async def test_a_page_has_at_most_500_windows(self, service: Watched) -> None:
        answer = await service.client.get(f"/api/v1/models/{service.model}/monitoring/windows", params={"limit": "501"})
        assert answer.status_code == 422

    async def test_the_page_of_a_long_time_shows_all_of_it(self, service: Watched) -> None:
        await filled(service, versions=("1", "2"), times=700)
        path = f"/api/v1/models/{service.model}/monitoring"
        state = (await service.client.get(path)).json()
        assert [window["version"] for window in state["versions"]] == ["2", "1"]
        windows = await service.running.serving.monitoring.overview(
            service.model, versions=["2", "1"], span=timedelta(days=1)
        )
        times = [window.ended_at for window in windows if window.version == "1"]
        assert len(windows) <= 500
        assert times[0] - times[-1] > timedelta(seconds=650)
        assert times[0].isoformat() == state["versions"][1]["ended_at"].replace("Z", "+00:00")
        assert "Version 2" in (await service.client.get(f"{path}/report")).text

    async def test_a_window_that_cannot_be_read_is_left_out(self, service: Watched) -> None:
        await filled(service, versions=("1", "2"), times=1)
        broken = {"status": "compared", "columns": [{"name": "a", "psi": None}], "traffic": {}, "quality": []}
        await filled(service, versions=("3",), times=1, findings=broken)
        path = f"/api/v1/models/{service.model}/monitoring"
        for place, versions in (("", ["2", "1"]), ("/windows", ["2", "1"])):
            answer = await service.client.get(f"{path}{place}")
            found = answer.json()["windows" if place else "versions"]
            assert [window["version"] for window in found] == versions

    async def test_the_page_holds_everything_it_shows(self, service: Watched) -> None:
        await service.asked(shifted(frame_of(400), "a"))
        await service.evaluated()
        answer = await service.client.get(f"/api/v1/models/{service.model}/monitoring/report")
        assert answer.headers["content-type"].startswith("text/html")
        assert "<svg" in answer.text
        assert "changed" in answer.text
        for outside in ("http://", "https://", "<script", "@import", "url("):
            assert outside not in answer.text

    async def test_an_unknown_model_is_404(self, service: Watched) -> None:
        for path in ("", "/windows", "/report"):
            answer = await service.client.get(f"/api/v1/models/{service.model}-not/monitoring{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")

    async def test_a_model_that_nobody_asked_has_no_windows(self, service: Watched) -> None:
        answer = await service.client.get(f"/api/v1/models/{service.model}/monitoring")
        assert (answer.status_code, answer.json()["versions"]) == (200, [])
        page = await service.client.get(f"/api/v1/models/{service.model}/monitoring/report")
        assert "Nothing was logged" in page.text
