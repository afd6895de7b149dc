import itertools

from hypothesis import given
from hypothesis import strategies as st

from services.embedding.encoding.packing import BATCH_COST, pack
from services.embedding.encoding.shapes import ANY, Shapes

lengths = st.lists(st.integers(min_value=0, max_value=300), max_size=80)
few_lengths = st.lists(st.integers(min_value=1, max_value=60), max_size=7)
budgets = st.integers(min_value=1, max_value=2048)
shapes = st.sampled_from([ANY, Shapes(8), Shapes(8, few=True), Shapes(1, few=True)])


def width(batch: list[int], lengths: list[int], shapes: Shapes) -> int:
    return shapes.length(max(lengths[position] for position in batch))


def cost(batches: list[list[int]], lengths: list[int], shapes: Shapes) -> int:
    return sum(BATCH_COST + len(batch) * width(batch, lengths, shapes) for batch in batches)


def ways_to_cut(positions: list[int]) -> list[list[list[int]]]:
    """All ways to cut a list into runs."""
    ways = []
    for cuts in itertools.product([False, True], repeat=max(len(positions) - 1, 0)):
        runs = [[positions[0]]]
        for position, cut in zip(positions[1:], cuts, strict=True):
            if cut:
                runs.append([position])
            else:
                runs[-1].append(position)
        ways.append(runs)
    return ways


class TestPack:
    @given(lengths, budgets, shapes)
    def test_every_text_is_in_one_batch(self, lengths, budget, shapes):
        packed = sorted(position for batch in pack(lengths, budget, shapes) for position in batch)

        assert packed == list(range(len(lengths)))

    @given(lengths, budgets, shapes)
    def test_no_batch_of_several_texts_costs_more_than_the_budget(self, lengths, budget, shapes):
        for batch in pack(lengths, budget, shapes):
            assert len(batch) == 1 or width(batch, lengths, shapes) * len(batch) <= budget

    @given(lengths, budgets)
    def test_where_shapes_are_few_batches_have_no_others(self, lengths, budget):
        few = Shapes(8, few=True)
        allowed = set(few.within(budget, 320))

        assert {(len(batch), width(batch, lengths, few)) for batch in pack(lengths, budget, few)} <= allowed

    @given(few_lengths, st.integers(min_value=1, max_value=200), shapes)
    def test_no_other_way_to_cut_the_sorted_texts_costs_less(self, lengths, budget, shapes):
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        allowed = [
            way
            for way in (ways_to_cut(order) if order else [[]])
            if all(
                len(run) == 1
                or (width(run, lengths, shapes) * len(run) <= budget and len(run) in shapes.sizes(len(run)))
                for run in way
            )
        ]

        assert cost(pack(lengths, budget, shapes), lengths, shapes) == min(
            cost(way, lengths, shapes) for way in allowed
        )

    @given(lengths, budgets)
    def test_texts_of_a_batch_are_neighbours_in_length(self, lengths, budget):
        flat = [lengths[position] for batch in pack(lengths, budget) for position in batch]

        assert flat == sorted(lengths)

    def test_texts_of_one_length_share_batches(self):
        assert pack([5, 100, 5, 100], budget=200) == [[0, 2], [1, 3]]

    def test_a_few_texts_of_about_the_same_length_are_one_batch(self):
        assert pack([10, 12, 11], budget=2048) == [[0, 2, 1]]

    def test_little_is_padded_among_many_texts(self):
        mixed = [8 + (number * 37) % 240 for number in range(1000)]

        for shapes in (ANY, Shapes(8, few=True)):
            padded = sum(len(batch) * width(batch, mixed, shapes) for batch in pack(mixed, 2048, shapes))
            assert padded / sum(mixed) < 1.1
