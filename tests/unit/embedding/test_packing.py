import itertools

from hypothesis import given
from hypothesis import strategies as st

from services.embedding.packing import pack

lengths = st.lists(st.integers(min_value=1, max_value=300), max_size=80)
budgets = st.integers(min_value=1, max_value=2048)


class TestPack:
    @given(lengths, budgets)
    def test_every_text_is_in_one_batch(self, lengths, budget):
        packed = sorted(position for batch in pack(lengths, budget) for position in batch)

        assert packed == list(range(len(lengths)))

    @given(lengths, budgets)
    def test_no_batch_of_several_texts_costs_more_than_the_budget(self, lengths, budget):
        for batch in pack(lengths, budget):
            assert len(batch) == 1 or max(lengths[position] for position in batch) * len(batch) <= budget

    @given(lengths, budgets)
    def test_a_batch_is_closed_only_when_the_next_text_does_not_fit(self, lengths, budget):
        batches = pack(lengths, budget)

        for batch, following in itertools.pairwise(batches):
            assert lengths[following[0]] * (len(batch) + 1) > budget

    def test_texts_of_one_length_share_batches(self):
        assert pack([5, 100, 5, 100], budget=200) == [[0, 2], [1, 3]]
