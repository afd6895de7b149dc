"""The settings that the embedded Postgres is started with."""

import pytest

from mlplatform.stack.parts.postgres import shared_buffers

MIB, GIB = 2**20, 2**30


@pytest.mark.parametrize(("memory", "buffers"), [(512 * MIB, 128 * MIB), (24 * GIB, 3 * GIB), (2048 * GIB, 4 * GIB)])
def test_pages_are_kept_in_a_share_of_the_memory_within_bounds(memory, buffers):
    assert shared_buffers(memory) == buffers
