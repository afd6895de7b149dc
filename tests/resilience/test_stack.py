"""The stack is started twice, killed in every part, and stopped, and keeps what it acknowledged.

One stack for all of it, since its start is slow.
"""

import os
import signal
import threading
import time

import httpx
import psutil
import pytest

from mlplatform.stack import Stack
from tests.integration.model_serving.publisher import frame_of, records_of
from tests.resilience.bulk import LEGS, BulkUpload
from tests.resilience.killed_jobs import TestKillDuringJobs
from tests.resilience.recovery import POLL_SECONDS, RECOVERY_SECONDS, pids_of, wait_healthy
from tests.resilience.traffic import Acknowledged, Traffic, artifact_url

__all__ = ["TestKillDuringJobs"]

PARTS = ("postgres", "redis", "s3", "mlflow", "serving", "embedding", "search", "batch")
INPUTS = records_of(frame_of(2))
UPLOADED_OVER = ("embedding", "search", "redis", "postgres")
"""Parts that are killed while items are indexed by the thousand."""
ITEMS = 1500
BEFORE = 300
"""Lines that are acknowledged before the kill."""
UPLOAD_SECONDS = 150.0


def lost(stack: Stack, acknowledged: Acknowledged) -> list[str]:
    """Return what was acknowledged and is not there; items that wait for their embedding get time."""
    environment = stack.env()
    missing: list[str] = []
    deadline = time.monotonic() + RECOVERY_SECONDS
    with httpx.Client(timeout=30, trust_env=False) as client:
        for key in acknowledged.indexed:
            url = f"{environment['ML_SEARCH_URL']}/api/v1/index/note/{key}"
            answer = client.get(url)
            while answer.status_code == 200 and answer.json()["state"] == "pending" and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
                answer = client.get(url)
            if answer.status_code != 200 or answer.json()["state"] != "embedded":
                missing.append(f"item {key}: {answer.status_code} {answer.text}")
        for name in acknowledged.registered:
            url = f"{environment['ML_MLFLOW_URL']}/api/2.0/mlflow/registered-models/get"
            if client.get(url, params={"name": name}).status_code != 200:
                missing.append(f"model {name}")
        for path in acknowledged.artifacts:
            content = client.get(artifact_url(environment, path)).content
            missing += [f"artifact {path}: {content!r}"] if content != path.encode() else []
    return missing


class TestKill:
    @pytest.mark.parametrize("part", PARTS)
    def test_platform_recovers_and_loses_nothing(self, stack: Stack, model: str, part: str) -> None:
        wait_healthy(stack)
        with Traffic(stack.env(), model, INPUTS) as traffic:
            assert traffic.wait_for_success(since=0.0, seconds=RECOVERY_SECONDS) == []
            pid = pids_of(stack)[part]
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            wait_healthy(stack, killed=pid)
            assert traffic.wait_for_success(since=time.monotonic(), seconds=RECOVERY_SECONDS) == []
        assert {name: outcomes.wrong for name, outcomes in traffic.outcomes.items() if outcomes.wrong} == {}
        assert lost(stack, traffic.acknowledged) == []


class TestKillDuringUpload:
    @pytest.mark.parametrize("part", UPLOADED_OVER)
    def test_every_acknowledged_item_is_found_and_no_deleted_one(self, stack: Stack, part: str) -> None:
        wait_healthy(stack)
        with BulkUpload(stack.env()["ML_SEARCH_URL"], ITEMS, UPLOAD_SECONDS) as upload:
            upload.wait_for(BEFORE)
            early = upload.keys[0:BEFORE:20]
            upload.delete(early)
            pid = pids_of(stack)[part]
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            late = upload.keys[10:BEFORE:20]
            upload.delete(late)
        deleted = {*early, *late}

        assert upload.wrong == []
        assert (upload.end.get("status"), upload.end.get("stored")) == ("complete", ITEMS)
        assert upload.unfinished() == {"pending": 0, "failed": 0}
        for leg in LEGS:
            assert upload.found(leg) == set(upload.keys) - deleted
        assert upload.existing(deleted) == set()
        wait_healthy(stack, killed=pid)


class TestDown:
    def test_everything_is_there_after_the_next_up(self, stack: Stack, model: str) -> None:
        wait_healthy(stack)
        with Traffic(stack.env(), model, INPUTS) as traffic:
            assert traffic.wait_for_success(since=time.monotonic(), seconds=RECOVERY_SECONDS) == []
        before = stack.env()
        stack.down()
        assert {part.health for part in stack.processes()} == {"stopped"}
        stack.up()
        assert stack.env() == before
        assert lost(stack, traffic.acknowledged) == []


class TestUp:
    def test_second_up_leaves_the_running_processes_alone(self, stack: Stack) -> None:
        wait_healthy(stack)
        before = pids_of(stack)
        stack.up()
        assert pids_of(stack) == before

    def test_two_at_once_leave_one_stack(self, stack: Stack) -> None:
        wait_healthy(stack)
        before = pids_of(stack)
        threads = [threading.Thread(target=stack.up) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert pids_of(stack) == before

    def test_changed_setting_restarts_the_services_and_not_the_stores(self, stack: Stack) -> None:
        wait_healthy(stack)
        before = pids_of(stack)
        Stack(stack.home.root, {"ML_LOG_LEVEL": "WARNING", "PATH": os.environ["PATH"]}).up()
        after = pids_of(stack)
        restarted = {name for name in before if before[name] != after[name]}
        assert restarted == {"serving", "embedding", "search", "batch"}

    def test_processes_of_a_killed_supervisor_are_replaced(self, stack: Stack) -> None:
        wait_healthy(stack)
        before = {pid for pid in pids_of(stack).values() if pid}
        supervisor = pids_of(stack)["supervisor"]
        assert supervisor is not None
        os.kill(supervisor, signal.SIGKILL)
        stack.up()
        wait_healthy(stack)
        assert not [pid for pid in before if psutil.pid_exists(pid)]
