"""Small models of sound and of images with random weights."""

import json
import tempfile
from pathlib import Path
from typing import Any

WORDS = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "a": 5}
CHAT = (
    "{% for said in messages %}{% for part in said['content'] %}{{ part['text'] or 'film' }} {% endfor %}{% endfor %}"
)


def speech_recognizer() -> Any:
    """Return a pipeline that hears one letter."""
    # Plain imports would load PyTorch for tests of other libraries too, or fail where it is not installed.
    import torch  # noqa: PLC0415 (the reason is above)
    import transformers  # noqa: PLC0415 (the same)

    config = transformers.Wav2Vec2Config(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8, 8),
        conv_stride=(5, 4),
        conv_kernel=(10, 4),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )
    torch.manual_seed(0)
    model = transformers.Wav2Vec2ForCTC(config).eval()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vocab.json"
        file.write_text(json.dumps(WORDS))
        tokenizer = transformers.Wav2Vec2CTCTokenizer(str(file))
    return transformers.pipeline(
        "automatic-speech-recognition",
        model=model,
        tokenizer=tokenizer,
        feature_extractor=transformers.Wav2Vec2FeatureExtractor(),
    )


def image_encoder(folder: Path) -> Any:
    """Return an encoder that has vectors of 8 numbers for texts and for images.

    Args:
        folder: Where its parts are written.
    """
    # Plain imports would load PyTorch for tests of other libraries too, or fail where it is not installed.
    import sentence_transformers  # noqa: PLC0415 (the reason is above)
    import torch  # noqa: PLC0415 (the same)
    import transformers  # noqa: PLC0415 (the same)
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415 (the same)

    words = {"[UNK]": 0, "[PAD]": 1, "good": 2, "film": 3}
    tokens = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokens.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokens, unk_token="[UNK]", pad_token="[PAD]", eos_token="film", model_max_length=16
    )
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        text_config={**size, "vocab_size": len(words), "max_position_embeddings": 16, "eos_token_id": 3},
        vision_config={**size, "image_size": 16, "patch_size": 8},
        projection_dim=8,
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).eval().save_pretrained(folder)
    pixels = transformers.CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    transformers.CLIPProcessor(image_processor=pixels, tokenizer=tokenizer).save_pretrained(folder)
    return sentence_transformers.SentenceTransformer(str(folder), device="cpu")


def chat_encoder(folder: Path) -> Any:
    """Return an encoder of texts and images that takes conversations, and makes them of pairs.

    The template `CHAT` of its processor is to be set after it is loaded: CLIP's processor does not read it.

    Args:
        folder: Where its parts are written.
    """
    # Plain imports would load PyTorch for tests of other libraries too, or fail where it is not installed.
    import sentence_transformers  # noqa: PLC0415 (the reason is above)
    from sentence_transformers.sentence_transformer.modules import Transformer  # noqa: PLC0415 (the same)

    image_encoder(folder)
    features = {"method": "get_text_features", "method_output_name": "pooler_output"}
    kinds = {"text": features, "image": features, "message": {**features, "format": "structured"}}
    spoken = Transformer(str(folder), modality_config=kinds, module_output_name="sentence_embedding")
    return sentence_transformers.SentenceTransformer(modules=[spoken], device="cpu")
