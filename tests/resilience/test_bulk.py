"""Parts are killed while items are indexed by the thousand."""

import os
import signal

import pytest

from mlplatform.stack import Stack
from tests.resilience.bulk import LEGS, BulkUpload
from tests.resilience.test_stack import pids_of, wait_healthy

PARTS = ("embedding", "search", "redis", "postgres")
ITEMS = 1500
BEFORE = 300
"""Lines that are acknowledged before the kill."""
SECONDS = 150.0


class TestKillDuringUpload:
    @pytest.mark.parametrize("part", PARTS)
    def test_every_acknowledged_item_is_found_and_no_deleted_one(self, stack: Stack, part: str) -> None:
        wait_healthy(stack)
        with BulkUpload(stack.env()["ML_SEARCH_URL"], ITEMS, SECONDS) as upload:
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
