import importlib.util
import os
import statistics
from pathlib import Path
from types import ModuleType

import pytest

from services.search.items import Item
from tests.integration.search.lexical.shelf import Shelf

BENCHMARKS = Path(__file__).parents[4] / "benchmarks" / "search"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"search_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


collections, measures = load("collection"), load("measures")
DATA = os.environ.get("ML_DATA_DIR")


@pytest.mark.skipif(DATA is None, reason="ML_DATA_DIR names no folder with the collections ir/cranfield and ir/cisi")
@pytest.mark.parametrize(("name", "least"), [("cranfield", (0.515, 0.755)), ("cisi", (0.411, 0.450))])
class TestQuality:
    async def test_is_that_of_bm25(self, shelf: Shelf, name, least):
        collection = collections.read_collection(Path(str(DATA)) / "ir" / name)
        await shelf.save(*(Item("doc", key, text) for key, text in collection.documents.items()))
        rankings = {key: await shelf.found(query, limit=100) for key, query in collection.queries.items()}

        gain = statistics.mean(measures.ndcg(rankings[key], collection.relevant[key]) for key in rankings)
        found = statistics.mean(measures.recall(rankings[key], collection.relevant[key], 100) for key in rankings)
        assert (gain > least[0], found > least[1]) == (True, True), (gain, found)
