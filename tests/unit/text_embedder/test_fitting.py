import random

import pytest
import torch
from fitting import Recipe, batches, fit, plan, rate
from judged import Judged, Pair
from mining import Example
from ranking import embed
from sentence_transformers import SentenceTransformer

from mlplatform.retrieval.collection import Judgements
from mlplatform.training.failures import Diverged
from tests.integration.embedding.tiny import write_model

WORDS = {"cat": "engine", "dog": "river", "house": "music", "tree": "paper"}
CHANCE = random.Random(1)  # noqa: S311 - a shuffle
RECIPE = Recipe(epochs=40, batch_size=4, learning_rate=1e-3, max_tokens=16, seed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"), seed=1)


@pytest.fixture
def model(folder):
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


@pytest.fixture
def judged() -> Judged:
    documents = {word: f"of the {other}" for word, other in WORDS.items()}
    train = Judgements({f"q-{word}": f"about a {word}" for word in WORDS}, {f"q-{word}": {word} for word in WORDS})
    return Judged("tiny", documents, train, Judgements({}, {}), "0" * 64)


@pytest.fixture
def examples(judged) -> list[Example]:
    words = list(WORDS)
    return [Example(Pair(f"q-{word}", word), (words[place - 1],)) for place, word in enumerate(words)]


def nearest(model, judged):
    queries = embed(model, judged.train.queries, "query", lambda _: None)
    documents = embed(model, judged.documents, "document", lambda _: None)
    best = (queries.vectors @ documents.vectors.T).argmax(axis=1)
    return {query: documents.keys[row] for query, row in zip(queries.keys, best, strict=True)}


class TestBatches:
    def test_no_query_meets_a_document_that_is_relevant_to_it(self):
        examples = [Example(Pair(f"q{n}", f"d{n}"), (f"d{n + 1}",)) for n in range(9)]
        relevant = {f"q{n}": {f"d{n}"} for n in range(9)}

        made = list(batches(examples, relevant, 4, CHANCE))

        assert sorted(one.pair.query for batch in made for one in batch) == sorted(relevant)
        for batch in made:
            assert len(batch) <= 4
            for one in batch:
                others = {key for other in batch if other is not one for key in (other.pair.document, *other.negatives)}
                assert not others & relevant[one.pair.query]

    def test_pairs_of_one_query_are_never_together(self):
        examples = [Example(Pair("q", f"d{n}"), ("other",)) for n in range(3)]

        assert [len(batch) for batch in batches(examples, {"q": {"d0", "d1", "d2"}}, 8, CHANCE)] == [1, 1, 1]

    def test_a_pair_alone_without_negatives_teaches_nothing(self):
        assert not list(batches([Example(Pair("q", "d"), ())], {"q": {"d"}}, 8, CHANCE))


class TestRate:
    def test_rises_and_falls(self):
        rates = [rate(step, 20) for step in range(20)]

        assert (rates[0], rates[1], max(rates)) == (0.5, 1.0, 1.0)
        assert rates[1:] == sorted(rates[1:], reverse=True)
        assert 0 < rates[-1] < 0.1


class TestFit:
    def test_queries_come_to_find_their_documents(self, model, judged, examples):
        losses = fit(model, judged, plan(examples, judged.train.relevant, RECIPE), RECIPE, lambda _: None)

        assert losses[-1] < losses[0] / 4
        assert nearest(model, judged) == {f"q-{word}": word for word in WORDS}
        assert not model.training

    def test_a_longer_text_is_read_as_before_afterwards(self, model, judged, examples):
        before = model.max_seq_length
        recipe = Recipe(1, 4, 1e-5, max_tokens=8, seed=1)

        fit(model, judged, plan(examples, judged.train.relevant, recipe), recipe, lambda _: None)

        assert (before, model.max_seq_length) == (64, 64)

    def test_prompts_are_read_while_training(self, folder, judged, examples):
        recipe = Recipe(1, 4, 1e-3, max_tokens=16, seed=1)
        losses = []
        for prompts in ({}, {"query": "find: ", "document": "found: "}):
            model = SentenceTransformer(str(folder), device="cpu", local_files_only=True, prompts=prompts)
            losses += fit(model, judged, plan(examples, judged.train.relevant, recipe), recipe, lambda _: None)[:1]

        assert losses[0] != losses[1]

    def test_a_loss_that_is_no_number_ends_it(self, model, judged, examples):
        with torch.no_grad():
            next(model.parameters()).fill_(float("nan"))

        with pytest.raises(Diverged, match="step 1"):
            fit(model, judged, plan(examples, judged.train.relevant, RECIPE), RECIPE, lambda _: None)
