"""Settings of the embedding service."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mlplatform.settings import PlatformSettings
from mlplatform.settings.base import Duration
from services.embedding.encoding.names import AUTO, Wanted


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class EmbeddingSettings(PlatformSettings):
    """Settings of the kernel, and those of the encoder and its queue."""

    embedding_port: Annotated[int, Field(ge=1, le=65535)] = 9006
    """Port the embedding service listens on."""
    embedding_threads: Annotated[int, Field(ge=1)] = Field(default_factory=_cores)
    """Threads that the model computes with. Default: the processor cores this process may use."""
    embedding_backend: Wanted = AUTO
    """What computes the vectors: `auto` measures once which is fastest here, or the name of one. Whichever it is, its
    vectors must be like those of fp32; one that is not does not serve."""
    embedding_batch_tokens: Annotated[int, Field(ge=16)] = 2048
    """Most tokens encoded together on a processor, padding included. More is slower there."""
    embedding_gpu_batch_tokens: Annotated[int, Field(ge=16)] = 16384
    """Most tokens encoded together on a GPU, padding included. It is halved when the GPU's memory does not do."""
    embedding_texts_per_request: Annotated[int, Field(ge=1)] = 1024
    """Most texts in one request."""
    embedding_text_characters: Annotated[int, Field(ge=1)] = 100_000
    """Longest text, in characters. The model reads the first few hundred tokens of it."""
    embedding_queued_texts: Annotated[int, Field(ge=1)] = 4096
    """Texts that may wait for the encoder; a request beyond that is answered 429."""
    embedding_stream_batch: Annotated[int, Field(ge=1, le=1000)] = 64
    """Events taken from the index stream at once; their items are encoded together."""
    embedding_sweep_interval: Duration = timedelta(seconds=15)
    """How often to look for items whose index event was lost."""
    embedding_sweep_after: Duration = timedelta(seconds=30)
    """How long an item may be pending before its event counts as lost."""
    embedding_retry_interval: Duration = timedelta(seconds=2)
    """How long to wait before another try to load the model from the registry."""

    @property
    def model_cache(self) -> Path:
        """Folder of downloaded models, by digest."""
        return self.home / "cache" / "models"

    @property
    def encoder_cache(self) -> Path:
        """Folder of models as backends read them, and of what was measured of each."""
        return self.home / "cache" / "encoders"
