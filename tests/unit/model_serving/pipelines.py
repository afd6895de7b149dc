"""Small models of Hugging Face's libraries with random weights."""

from typing import Any


def text_classifier() -> Any:
    """Return a pipeline that knows three words."""
    # A plain import would load PyTorch for tests of other libraries too, or fail where it is not installed.
    import torch  # noqa: PLC0415 (the reason is above)
    import transformers  # noqa: PLC0415 (the same)
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415 (the same)

    words = {"[UNK]": 0, "[PAD]": 1, "good": 2, "bad": 3, "film": 4}
    tokens = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=tokens, unk_token="[UNK]", pad_token="[PAD]")
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        num_labels=2,
    )
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(config).eval()
    return transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)


def image_classifier() -> Any:
    """Return a pipeline of three classes."""
    # Plain imports would load PyTorch for tests of other libraries too, or fail where it is not installed.
    import torch  # noqa: PLC0415 (the reason is above)
    import transformers  # noqa: PLC0415 (the same)

    config = transformers.ViTConfig(
        image_size=16,
        patch_size=8,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        id2label={0: "cat", 1: "dog", 2: "cow"},
    )
    torch.manual_seed(0)
    model = transformers.ViTForImageClassification(config).eval()
    processor = transformers.ViTImageProcessorPil(size={"height": 16, "width": 16})
    return transformers.pipeline("image-classification", model=model, image_processor=processor)


def object_detector() -> Any:
    """Return a pipeline that finds anything anywhere."""
    # Plain imports would load PyTorch for tests of other libraries too, or fail where it is not installed.
    import torch  # noqa: PLC0415 (the reason is above)
    import transformers  # noqa: PLC0415 (the same)

    config = transformers.YolosConfig(
        image_size=[32, 32],
        patch_size=16,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_detection_tokens=4,
        id2label={0: "cat", 1: "dog"},
    )
    torch.manual_seed(0)
    model = transformers.YolosForObjectDetection(config).eval()
    processor = transformers.YolosImageProcessorPil(size={"height": 32, "width": 32})
    return transformers.pipeline("object-detection", model=model, image_processor=processor)
