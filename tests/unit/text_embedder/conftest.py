"""The program is run by path, so its folder is where its modules are found: last, as others have a `train` too."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import orjson
import pytest

sys.path.append(str(Path(__file__).parents[3] / "training" / "text_embedder"))

Write = Callable[..., Path]


@pytest.fixture
def write_collection(tmp_path: Path) -> Write:
    """Write a folder in the layout of BEIR."""

    def write(documents: Mapping[str, str], queries: Mapping[str, str], **judged: Mapping[str, Sequence[str]]) -> Path:
        folder = tmp_path / "tiny"
        (folder / "qrels").mkdir(parents=True)
        for name, texts in (("corpus", documents), ("queries", queries)):
            lines = [orjson.dumps({"_id": key, "text": text}) for key, text in texts.items()]
            (folder / f"{name}.jsonl").write_bytes(b"\n".join(lines))
        for split, relevant in judged.items():
            rows = [f"{query}\t{document}\t1" for query, found in relevant.items() for document in found]
            (folder / "qrels" / f"{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *rows]))
        return folder

    return write
