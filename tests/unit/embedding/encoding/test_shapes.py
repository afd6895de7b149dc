import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.embedding.encoding.shapes import ANY, Shapes

FEW = Shapes(step=8, few=True)
tokens = st.integers(min_value=0, max_value=9000)


class TestLength:
    @given(tokens)
    def test_any_length_is_taken_as_it_is(self, length):
        assert ANY.length(length) == max(length, 1)

    @given(tokens, st.sampled_from([1, 8, 16]))
    def test_lengths_are_rounded_up_to_a_step(self, length, step):
        rounded = Shapes(step).length(length)

        assert rounded % step == 0
        assert max(length, 1) <= rounded < max(length, 1) + step

    @given(tokens)
    def test_few_lengths_pad_a_text_by_an_eighth_at_most_beyond_the_step(self, length):
        rounded = FEW.length(length)

        assert max(length, 1) <= rounded < max(length, 1) + max(8, length / 8)

    @given(tokens)
    def test_a_length_stays_what_it_is(self, length):
        assert FEW.length(FEW.length(length)) == FEW.length(length)

    def test_few_lengths_are_eight_to_a_power_of_two(self):
        lengths = {FEW.length(length) for length in range(1, 8193)}

        assert len([length for length in lengths if 512 < length <= 1024]) == 8
        assert len(lengths) == 8 + 8 * 7
        assert [length for length in sorted(lengths) if length <= 160][-4:] == [120, 128, 144, 160]


class TestSizes:
    def test_any_number_of_texts_is_a_size(self):
        assert ANY.sizes(5).tolist() == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize(
        ("most", "sizes"), [(1, [1]), (2, [1, 2]), (5, [1, 2, 3, 4]), (30, [1, 2, 3, 4, 6, 8, 12, 16, 24])]
    )
    def test_few_sizes_are_two_to_a_power_of_two(self, most, sizes):
        assert FEW.sizes(most).tolist() == sizes


class TestWithin:
    def test_are_all_that_texts_can_have(self):
        expected = {
            (int(size), FEW.length(length))
            for length in range(1, 257)
            for size in FEW.sizes(max(2048 // FEW.length(length), 1))
        }

        assert set(FEW.within(2048, 256)) == expected
        assert len(expected) == 211

    def test_no_text_is_longer_than_the_model_reads(self):
        assert max(length for _, length in FEW.within(2048, 50)) == 50

    def test_a_text_longer_than_the_budget_has_a_batch_of_its_own(self):
        assert [size for size, length in FEW.within(64, 128) if length == 128] == [1]

    def test_where_there_are_few_they_grow_slowly_with_the_length_of_texts(self):
        counts = [len(list(FEW.within(2048, longest))) for longest in (256, 512, 1024)]

        assert [later - earlier for earlier, later in itertools.pairwise(counts)] == [34, 18]
