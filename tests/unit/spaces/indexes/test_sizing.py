import pytest

from mlplatform.spaces.indexes.sizing import LEAST_BYTES, build_memory, graph_bytes

GIB = 2**30


class TestGraphBytes:
    def test_of_vectors_of_384_dimensions(self) -> None:
        # 768 bytes of values, 512 of links in the lowest layer, and about 200 of what holds them, with the margin
        assert graph_bytes(1, 384) == pytest.approx(1.2 * 1480, rel=0.05)

    def test_grows_with_the_dimension_by_two_bytes_and_the_margin(self) -> None:
        assert graph_bytes(1_000_000, 1024) - graph_bytes(1_000_000, 384) == pytest.approx(1.2 * 2 * 640 * 1_000_000)


class TestBuildMemory:
    def test_is_what_the_graph_takes(self) -> None:
        memory = build_memory(300_000, 384, 4 * GIB)

        assert graph_bytes(300_000, 384) < memory < 1.05 * graph_bytes(300_000, 384)

    def test_ends_at_the_ceiling(self) -> None:
        assert build_memory(10_000_000, 384, GIB) == GIB

    def test_of_few_vectors_is_enough_to_begin_with(self) -> None:
        assert build_memory(0, 384, GIB) == LEAST_BYTES
