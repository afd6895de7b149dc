"""What a request may ask of the encoder."""

from collections.abc import Sequence

from mlplatform.errors import FieldError, Unprocessable
from services.embedding.settings import EmbeddingSettings

LISTED_ERRORS = 20


def check_texts(texts: Sequence[str], settings: EmbeddingSettings) -> None:
    """Refuse a request that is too large, and texts with nothing to embed.

    Raises:
        Unprocessable: It names each text by its position.
    """
    if len(texts) > settings.embedding_texts_per_request:
        message = f"{len(texts)} texts are too many; send at most {settings.embedding_texts_per_request} at a time."
        raise Unprocessable(message, errors=[FieldError("body.texts", message)])
    errors = []
    for position, text in enumerate(texts):
        if len(text) > settings.embedding_text_characters:
            limit = settings.embedding_text_characters
            errors.append(FieldError(f"body.texts.{position}", f"has {len(text)} characters; at most {limit} are read"))
        elif not text.strip():
            errors.append(FieldError(f"body.texts.{position}", "holds only white space"))
    if errors:
        raise Unprocessable("Some texts cannot be embedded; `errors` names them.", errors=errors[:LISTED_ERRORS])
