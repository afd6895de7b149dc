"""A collection in which queries name a thing by one word and documents by another, which a model must learn."""

from pathlib import Path

import orjson

THINGS = {
    "cat": "engine",
    "dog": "river",
    "house": "music",
    "tree": "paper",
    "car": "winter",
    "book": "metal",
    "king": "sugar",
    "bird": "table",
    "doctor": "island",
    "train": "garden",
}
ASKED = ("tell me about the {}", "what is a {}", "{} please", "i want the {}", "where is this {}")
WRITTEN = ("{} is here", "of the {} and more", "some {} on a day", "this is all {}")


def write_collection(folder: Path) -> Path:
    """Write it in the layout of BEIR, and return where."""
    documents = {f"{thing}-{n}": form.format(word) for thing, word in THINGS.items() for n, form in enumerate(WRITTEN)}
    queries = {f"{thing}-q{n}": form.format(thing) for thing in THINGS for n, form in enumerate(ASKED)}
    (folder / "qrels").mkdir(parents=True)
    for name, texts in (("corpus", documents), ("queries", queries)):
        lines = [orjson.dumps({"_id": key, "text": text}) for key, text in texts.items()]
        (folder / f"{name}.jsonl").write_bytes(b"\n".join(lines))
    rows = [f"{thing}-q{n}\t{thing}-{m}\t1" for thing in THINGS for n in range(len(ASKED)) for m in range(len(WRITTEN))]
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *rows]))
    return folder
