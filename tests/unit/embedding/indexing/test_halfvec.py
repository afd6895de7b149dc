import numpy as np
from pgvector import HalfVector

from services.embedding.indexing.halfvec import encode_halfvecs


class TestEncodeHalfvecs:
    def test_each_row_is_what_pgvector_reads(self):
        vectors = np.array([[0.6, -0.8, 0.0], [1.0, 1e-4, -1.0]], dtype=np.float32)

        rows = [HalfVector.from_binary(row).to_list() for row in encode_halfvecs(vectors)]

        assert np.allclose(rows, vectors, atol=1e-3)

    def test_none_are_none(self):
        assert encode_halfvecs(np.zeros((0, 3), dtype=np.float32)) == []
