import os
import statistics
from pathlib import Path

import pytest

from mlplatform.retrieval.collection import read_collection
from mlplatform.retrieval.measures import ndcg, recall
from services.search.items import Item
from tests.integration.search.lexical.shelf import Shelf

DATA = os.environ.get("ML_DATA_DIR")


@pytest.mark.skipif(DATA is None, reason="ML_DATA_DIR names no folder with the collections ir/cranfield and ir/cisi")
@pytest.mark.parametrize(("name", "least"), [("cranfield", (0.515, 0.755)), ("cisi", (0.411, 0.450))])
class TestQuality:
    async def test_is_that_of_bm25(self, shelf: Shelf, name, least):
        collection = read_collection(Path(str(DATA)) / "ir" / name)
        await shelf.save(*(Item("doc", key, text) for key, text in collection.documents.items()))
        rankings = {key: await shelf.found(query, limit=100) for key, query in collection.queries.items()}

        gain = statistics.mean(ndcg(rankings[key], collection.relevant[key]) for key in rankings)
        found = statistics.mean(recall(rankings[key], collection.relevant[key], 100) for key in rankings)
        assert (gain > least[0], found > least[1]) == (True, True), (gain, found)
