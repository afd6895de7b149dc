import numpy as np
import pytest

from services.embedding.vectors import Row, pack, shorten, size_of, unpack

KEY, OTHER = b"k" * 32, b"o" * 32


@pytest.fixture
def row() -> Row:
    return Row(np.array([0.6, -0.8], dtype=np.float32), 12, True)


class TestUnpack:
    def test_a_row_comes_back_as_it_was(self, row):
        entry = pack(KEY, row)
        found = unpack(entry, KEY, 2)

        assert len(entry) == size_of(2)
        assert found is not None
        assert np.array_equal(found.vector, row.vector)
        assert (found.vector.dtype, found.tokens, found.truncated) == (np.float32, 12, True)

    @pytest.mark.parametrize(
        ("entry", "key", "dimension"),
        [
            (None, KEY, 2),
            (b"", KEY, 2),
            (pack(KEY, Row(np.ones(2, np.float32), 1, False)), OTHER, 2),
            (pack(KEY, Row(np.ones(2, np.float32), 1, False)), KEY, 3),
            (pack(KEY, Row(np.ones(2, np.float32), 1, False))[:-1], KEY, 2),
        ],
        ids=["nothing", "empty", "of another text", "of another length", "cut off"],
    )
    def test_what_is_not_the_text_s_own_is_not_found(self, entry, key, dimension):
        assert unpack(entry, key, dimension) is None


class TestShorten:
    def test_the_first_components_are_a_unit_vector_again(self):
        vectors = np.array([[0.6, 0.0, 0.8], [0.0, 1.0, 0.0]], dtype=np.float32)

        short = shorten(vectors, 2)

        assert np.allclose(short, [[1, 0], [0, 1]])
        assert short.dtype == np.float32

    def test_a_vector_whose_first_components_are_zero_stays_finite(self):
        assert shorten(np.array([[0.0, 1.0]], dtype=np.float32), 1).tolist() == [[0.0]]

    @pytest.mark.parametrize("dimensions", [None, 2])
    def test_all_components_are_left_alone(self, dimensions):
        vectors = np.array([[0.6, 0.8]], dtype=np.float32)

        assert shorten(vectors, dimensions) is vectors
