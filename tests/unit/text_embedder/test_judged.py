import pytest
from judged import Pair, choose_pairs, read_judged

from mlplatform.training.failures import BadData

DOCUMENTS = {f"d{number}": f"text {number}" for number in range(5)}
QUERIES = {f"q{number}": f"Question {number}" for number in range(40)}
RELEVANT = {key: ["d0", "d1"] for key in QUERIES}


class TestReadJudged:
    def test_a_share_of_the_queries_is_held_out(self, write_collection):
        judged = read_judged(write_collection(DOCUMENTS, QUERIES, test=RELEVANT), share=0.25, seed=1)

        assert len(judged.held_out.queries) == 10
        assert judged.train.queries.keys() | judged.held_out.queries.keys() == QUERIES.keys()
        assert not judged.train.queries.keys() & judged.held_out.queries.keys()

    def test_the_seed_decides_which(self, write_collection):
        folder = write_collection(DOCUMENTS, QUERIES, test=RELEVANT)
        first, again, other = (read_judged(folder, share=0.5, seed=seed) for seed in (1, 1, 2))

        assert first == again
        assert first.held_out != other.held_out
        assert first.digest != other.digest

    def test_a_folder_may_say_itself_what_is_trained_on(self, write_collection):
        train = {key: RELEVANT[key] for key in list(QUERIES)[:25]}
        test = {key: RELEVANT[key] for key in list(QUERIES)[25:]}

        judged = read_judged(write_collection(DOCUMENTS, QUERIES, train=train, test=test), share=0.5, seed=1)

        assert (judged.train.queries.keys(), judged.held_out.queries.keys()) == (train.keys(), test.keys())

    def test_the_text_of_a_held_out_query_is_not_trained_on(self, write_collection):
        queries = {**QUERIES, "again": "  question 30"}
        train = {key: ["d0"] for key in ["q1", "q2", "again"]}
        test = {key: ["d0"] for key in list(QUERIES)[25:]}

        judged = read_judged(write_collection(DOCUMENTS, queries, train=train, test=test), share=0.5, seed=1)

        assert judged.train.queries.keys() == {"q1", "q2"}

    def test_too_few_queries_are_refused(self, write_collection):
        few = {key: RELEVANT[key] for key in list(QUERIES)[:9]}

        with pytest.raises(BadData, match="too few"):
            read_judged(write_collection(DOCUMENTS, QUERIES, test=few), share=0.5, seed=1)

    def test_judgements_of_documents_that_are_not_there_train_nothing(self, write_collection):
        folder = write_collection(DOCUMENTS, QUERIES, test={key: ["other"] for key in QUERIES})

        with pytest.raises(BadData, match="no query is left"):
            read_judged(folder, share=0.5, seed=1)


class TestChoosePairs:
    def test_every_query_has_one_before_any_has_two(self, write_collection):
        judged = read_judged(write_collection(DOCUMENTS, QUERIES, test=RELEVANT), share=0.5, seed=1)

        pairs = choose_pairs(judged, 25, seed=3)

        assert len(set(pairs)) == 25
        assert {pair.query for pair in pairs[:20]} == judged.train.queries.keys()
        assert len({pair.query for pair in pairs[20:]}) == 5

    def test_all_when_there_are_fewer(self, write_collection):
        train = {"q1": ["d0", "d1", "gone"]}
        test = {key: ["d0"] for key in list(QUERIES)[25:]}
        judged = read_judged(write_collection(DOCUMENTS, QUERIES, train=train, test=test), share=0.5, seed=1)

        assert set(choose_pairs(judged, 100, seed=3)) == {Pair("q1", "d0"), Pair("q1", "d1")}
