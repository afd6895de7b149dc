"""The model in memory."""

from dataclasses import dataclass, field
from typing import NamedTuple

from mlplatform.spaces.space import Space
from services.embedding.batcher import Batcher
from services.embedding.encoding.encoder import Encoder
from services.embedding.registration import MODEL


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A loaded version of the text embedder.

    Attributes:
        version: Its number in the registry.
        production_version: The version in production when this one was loaded, None when nobody could say.
        digest: Digest of its weights and tokenizer.
        encoder: What computes.
        batcher: The queue before it.
        name: Registered name.
        size: Bytes of its weights.
    """

    version: str
    production_version: str | None
    digest: str
    encoder: Encoder
    batcher: Batcher
    name: str = MODEL
    size: int = field(default=0, compare=False)


class Target(NamedTuple):
    """A space, and the queue of the model that fills it."""

    space: Space
    batcher: Batcher
