"""What a request may ask of the encoder."""

from collections.abc import Iterator, Sequence

from mlplatform.embedders.content import NOTHING, has_content
from mlplatform.errors import FieldError, Unprocessable
from services.embedding.settings import EmbeddingSettings
from services.embedding.token_ids import Text

LISTED_ERRORS = 20
PROMPT_CHARACTERS = 2_000


def check_texts(
    texts: Sequence[Text], settings: EmbeddingSettings, *, field: str = "body.texts", vocabulary: int | None = None
) -> None:
    """Refuse a request that is too large, and texts with nothing to embed.

    Args:
        texts: Texts, or ids of the model's own tokenizer.
        settings: The limits.
        field: What the caller calls the list.
        vocabulary: Ids are below it; None when the model takes no ids.

    Raises:
        Unprocessable: It names each text by its position.
    """
    if not texts:
        raise Unprocessable("There is nothing to embed.", errors=[FieldError(field, "has no texts")])
    if len(texts) > settings.embedding_texts_per_request:
        message = f"{len(texts)} texts are too many; send at most {settings.embedding_texts_per_request} at a time."
        raise Unprocessable(message, errors=[FieldError(field, message)])
    errors = [
        FieldError(f"{field}.{position}", message)
        for position, text in enumerate(texts)
        for message in _wrong(text, settings.embedding_text_characters, vocabulary)
    ]
    if errors:
        raise Unprocessable("Some texts cannot be embedded; `errors` names them.", errors=errors[:LISTED_ERRORS])


def check_text(text: str, limit: int) -> str | None:
    """Return what is wrong with a text, without repeating it; None when nothing is.

    Args:
        text: Any text.
        limit: Most characters.
    """
    if not text:
        return "is empty"
    if len(text) > limit:
        return f"has {len(text)} characters; at most {limit} are read"
    return None if has_content(text) else NOTHING


def check_prompt(prompt: str, field: str = "body.prompt") -> None:
    """Refuse a prompt that would leave no room for the text.

    Raises:
        Unprocessable: It is too long.
    """
    if len(prompt) > PROMPT_CHARACTERS:
        message = f"has {len(prompt)} characters; at most {PROMPT_CHARACTERS} are taken"
        raise Unprocessable("The prompt is too long.", errors=[FieldError(field, message)])


def check_dimensions(dimensions: int | None, longest: int, field: str = "body.dimensions") -> None:
    """Refuse vectors longer than the model's.

    Args:
        dimensions: What the caller wants; None for the model's own.
        longest: The model's own.
        field: What the caller calls it.

    Raises:
        Unprocessable: They are longer, or have no length.
    """
    if dimensions is not None and not 1 <= dimensions <= longest:
        message = f"must be from 1 to {longest}, the length of the model's vectors"
        raise Unprocessable("The model has no vectors of that length.", errors=[FieldError(field, message)])


def _wrong(text: Text, limit: int, vocabulary: int | None) -> Iterator[str]:
    if isinstance(text, str):
        found = check_text(text, limit)
    elif vocabulary is None:
        found = "holds token ids, which this model does not take; send text"
    else:
        found = _wrong_ids(text, limit, vocabulary)
    if found is not None:
        yield found


def _wrong_ids(ids: Sequence[int], limit: int, vocabulary: int) -> str | None:
    if not ids:
        return "is empty"
    if len(ids) > limit:
        return f"has {len(ids)} token ids; at most {limit} are read"
    if min(ids) < 0 or max(ids) >= vocabulary:
        return f"holds ids that the model's own tokenizer does not make; they are from 0 to {vocabulary - 1}"
    return None
