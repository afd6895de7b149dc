"""The served classifier: sentence embeddings and a linear layer. MLflow stores this file and runs it when it loads.

Its parameters are a folder: `encoder/` of Sentence Transformers, `head.safetensors` with `weight` of (classes,
dimensions), `bias` of (classes) and `temperature` of (1), and `labels.json`.
"""

import copy
import json
import math
from pathlib import Path

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer

ENCODER, HEAD, LABELS = "encoder", "head.safetensors", "labels.json"
DECIMALS = 6
"""Of probabilities. What a text is put together with changes more distant ones."""

Array = npt.NDArray[np.float64]


def embed(encoder: SentenceTransformer, texts: list[str]) -> Array:
    """Return an embedding of length one for each text."""
    vectors = encoder.encode(texts, batch_size=32, show_progress_bar=False, normalize_embeddings=True)
    return np.asarray(vectors, dtype=np.float64)


def softmax(logits: Array) -> Array:
    """Return probabilities of the last axis."""
    powers: Array = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


class TextClassifier(PythonModel):
    """Answers each text with its class, how sure that is, and the calibrated probabilities of all classes."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the parameters."""
        folder = Path(context.artifacts["parameters"])
        head = load_file(folder / HEAD)
        self.weight = head["weight"].astype(np.float64) / head["temperature"]
        self.bias = head["bias"].astype(np.float64) / head["temperature"]
        self.labels = json.loads((folder / LABELS).read_text(encoding="utf-8"))
        self.encoder = SentenceTransformer(
            str(folder / ENCODER), device="cpu", local_files_only=True, trust_remote_code=False
        )
        # Its own: a tokenizer keeps whether it cuts, and calls from other threads embed meanwhile.
        self.tokenizer = copy.deepcopy(self.encoder.tokenizer)

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame) -> pd.DataFrame:  # noqa: ARG002 (MLflow's form)
        """Return `label`, `confidence`, `probabilities` and `truncated` of each text."""
        texts = model_input["text"].astype(str).tolist()
        shares = softmax(embed(self.encoder, texts) @ self.weight.T + self.bias).round(DECIMALS)
        best = shares.argmax(axis=1)
        return pd.DataFrame(
            {
                "label": [self.labels[place] for place in best],
                "confidence": shares.max(axis=1),
                "probabilities": [dict(zip(self.labels, row, strict=True)) for row in shares.tolist()],
                "truncated": self._exceed(texts),
            }
        )

    def _exceed(self, texts: list[str]) -> list[bool]:
        """Say of each text whether the encoder reads only its beginning."""
        longest = self.encoder.max_seq_length
        if longest is None or not math.isfinite(longest):
            return [False] * len(texts)
        prompt = self.encoder.prompts.get(self.encoder.default_prompt_name, "")
        found = self.tokenizer([prompt + text for text in texts], truncation=False, padding=False, verbose=False)
        return [len(tokens) > longest for tokens in found["input_ids"]]


mlflow.models.set_model(TextClassifier())
