"""Settings of the embedding service."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, ByteSize, Field
from pydantic_settings import NoDecode

from mlplatform.settings import PlatformSettings
from mlplatform.settings.base import Duration
from mlplatform.settings.parsing import split_list
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
    """Texts of small requests that may wait for the encoder, and as many of large ones; beyond that, 429."""
    embedding_model_names: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)] = ()
    """More names that callers may use for the model, such as one that a client has built in."""
    embedding_cache_entries: Annotated[int, Field(ge=0, le=10_000_000)] = 32_768
    """Most vectors kept in Redis, of 2 KB each with a model of 384 dimensions; 0 turns the cache off."""
    embedding_cache_ttl: Duration = timedelta(days=1)
    """How long a vector is kept."""
    embedding_stream_batch: Annotated[int, Field(ge=1, le=1000)] = 64
    """Events taken from the index stream at once; their items are encoded together."""
    embedding_sweep_interval: Duration = timedelta(seconds=15)
    """How often to look for items whose index event was lost."""
    embedding_sweep_after: Duration = timedelta(seconds=30)
    """How long an item may be pending before its event counts as lost."""
    embedding_retry_interval: Duration = timedelta(seconds=2)
    """How long to wait before another try to load the model from the registry."""
    embedding_jobs_per_tenant: Annotated[int, Field(ge=1)] = 100
    """Jobs for large inputs that a tenant may have, those that have ended included; another is answered 429."""
    embedding_job_retention: Duration = timedelta(days=7)
    """How long a job and its result are kept after its end."""

    embedding_model_memory: Annotated[ByteSize, Field(ge=1)] = ByteSize(4 * 2**30)
    """Bytes that the weights of models in memory may take together. While the index changes models there are two, or
    three while a former one is kept for a roll-back. The model that queries are embedded with is loaded whatever it
    takes."""
    embedding_space_interval: Duration = timedelta(seconds=2)
    """How often to look which spaces there are to fill."""
    embedding_promotion_interval: Duration = timedelta(seconds=10)
    """How often to ask the registry which version is in production."""
    embedding_space_switch: Literal["manual", "auto"] = "manual"
    """Who has a space searched that a promotion asked for: the operator, or the service as soon as it is complete and
    its probes pass."""
    embedding_space_recall: Annotated[float, Field(ge=0, le=1)] = 0.95
    """Least recall of the index of a space, against comparing every vector, for the service to switch to it."""
    embedding_fill_rate: Annotated[float, Field(ge=0)] = 100.0
    """Texts a second at most that are embedded to fill a space, in all nodes together; 0 for no limit. Queries and new
    items go before them."""
    embedding_fill_recheck: Duration = timedelta(hours=1)
    """How often to look whether a complete space still has every item. A switch that finds items lacking has it looked
    at at once."""
    embedding_index_live_items: Annotated[int, Field(ge=0)] = 10_000
    """Items up to which a space that is to be filled has its HNSW index from the start. That of more is built by `mlp
    spaces` when the space is filled, which takes less time than adding one vector after the other. With
    ML_EMBEDDING_SPACE_SWITCH=auto it is there from the start in any case, since no operator is."""

    @property
    def live_items(self) -> int | None:
        """Items up to which a new space has its index from the start; None for any number."""
        return None if self.embedding_space_switch == "auto" else self.embedding_index_live_items

    embedding_reranker: Annotated[str, Field(min_length=1)] = "text-reranker"
    """Registered name of the cross-encoder that re-ranks. Its version in production is loaded beside the other models;
    without one there is no re-ranking."""
    embedding_rerank_documents: Annotated[int, Field(ge=1)] = 200
    """Most documents in one request to re-rank."""
    embedding_rerank_queue: Annotated[int, Field(ge=1)] = 1000
    """Documents that may wait for the re-ranker; beyond that, 429."""

    @property
    def model_cache(self) -> Path:
        """Folder of downloaded models, by digest."""
        return self.home / "cache" / "models"

    @property
    def encoder_cache(self) -> Path:
        """Folder of models as backends read them, and of what was measured of each."""
        return self.home / "cache" / "encoders"
