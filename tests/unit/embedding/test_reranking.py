from services.embedding.reranking.cross_encoder import BATCH_CHARACTERS, BATCH_PAIRS, LONGEST, batches


class TestBatches:
    def test_each_document_is_in_one_batch(self):
        documents = ["x" * length for length in (5, 9000, 1, 400, 8000, 3)]

        made = list(batches(documents))

        assert sorted(row for batch in made for row in batch) == list(range(6))

    def test_short_ones_go_together_up_to_a_number(self):
        assert [len(batch) for batch in batches(["x"] * 70)] == [BATCH_PAIRS, BATCH_PAIRS, 6]

    def test_long_ones_share_a_batch_only_as_far_as_they_fit(self):
        for batch in batches(["x" * 100_000] * 10):
            assert len(batch) == BATCH_CHARACTERS // LONGEST

    def test_nothing(self):
        assert not list(batches([]))
