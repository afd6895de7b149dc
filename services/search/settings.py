"""Settings of the search service."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import ByteSize, Field, SecretStr, model_validator

from mlplatform.settings import PlatformSettings, UnsafeSettings
from mlplatform.settings.base import Duration


class SearchSettings(PlatformSettings):
    """Settings of the kernel, and the limits of items and queries."""

    search_port: Annotated[int, Field(ge=1, le=65535)] = 9007
    """Port the search service listens on."""
    search_embedding_key: SecretStr | None = None
    """API key (role `service`) with which search calls embedding where tokens come from an issuer. Unset: it signs
    tokens of its own with ML_JWT_SECRET."""
    search_items_per_request: Annotated[int, Field(ge=1)] = 1000
    """Most items in one index request."""
    search_text_characters: Annotated[int, Field(ge=1)] = 100_000
    """Longest text of an item, in characters."""
    search_query_characters: Annotated[int, Field(ge=1)] = 10_000
    """Longest query, in characters."""
    search_metadata_size: Annotated[ByteSize, Field(ge=2)] = ByteSize(16 * 1024)
    """Largest metadata of an item, as JSON."""
    search_bulk_line_size: Annotated[ByteSize, Field(ge=1024)] = ByteSize(1024 * 1024)
    """Longest line of a bulk upload."""
    search_bulk_errors: Annotated[int, Field(ge=1)] = 1000
    """Wrong lines after which the rest of a bulk upload is not read."""
    search_bulk_uploads: Annotated[int, Field(ge=1)] = 8
    """Bulk uploads that one process reads at a time; another is answered 429."""
    search_bulk_uploads_per_tenant: Annotated[int, Field(ge=1)] = 4
    """How many of them may be those of one tenant."""
    search_wait: Duration = timedelta(seconds=60)
    """Longest time that an index request may wait for its embeddings."""
    search_poll_interval: Duration = timedelta(milliseconds=250)
    """How often a waiting index request asks the database; events wake it earlier."""
    search_exact_rows: Annotated[int, Field(ge=1)] = 3000
    """Matching items up to which every vector is compared, or 5 % of all vectors, at most 50,000, if that is more;
    above, the HNSW index is used. Measured: comparing wins below two to three thousand."""
    search_scan_tuples: Annotated[int, Field(ge=1)] = 20_000
    """Vectors that the HNSW index may visit for one query. When those do not suffice, every match is compared."""
    search_candidates: Annotated[int, Field(ge=10, le=1000)] = 300
    """Most candidates that each leg, vectors and words, proposes to the ranking."""
    search_page_candidates: Annotated[int, Field(ge=10, le=1000)] = 32
    """Candidates that each leg proposes when at most half as many results are asked for, and no facets, and twice as
    many for results up to this number, and for what is ranked by one leg or by ranks: more of them take longer to find,
    and hardly change the first page."""
    search_vector_weight: Annotated[float, Field(ge=0, le=1)] = 0.6
    """Weight of the vectors against words, for indexes that `mlp search tune` has not set one for."""
    search_leg_timeout: Duration = timedelta(seconds=5)
    """How long a leg may take; after that the answer is that of the other leg, and says so. Both legs and the
    comparisons that follow take at most twice as long together; re-ranking and pages beyond the candidates have a time
    of their own."""
    search_rerank: Annotated[int, Field(ge=0, le=200)] = 0
    """Best results that the re-ranker orders anew, for indexes without a setting of their own and queries that do not
    ask; 0 for none. Each costs the embedding service a pass of a model over the query and the text."""
    search_rerank_timeout: Duration = timedelta(seconds=2)
    """How long the re-ranker may take; after that the answer is in the order of before, and says so."""
    search_cache_ttl: Duration = timedelta(seconds=60)
    """How long rankings are kept in Redis; 0 for not at all. Writes to the index are seen at once all the same."""
    search_cache_entries: Annotated[int, Field(ge=0, le=1_000_000)] = 4096
    """Most rankings kept in Redis, of 64 KB each at most; 0 turns the cache off."""
    search_probe_interval: Duration = timedelta(minutes=15)
    """How often the recall of the HNSW index is measured against an exact search; 0 for never."""
    search_postings_memory: Annotated[ByteSize, Field(ge=0)] = ByteSize(256 * 1024 * 1024)
    """Most bytes of postings that are kept in memory, of the words that were asked for last; 8 for each item that has a
    word. What does not fit is read again for each query."""
    search_lexical_interval: Duration = timedelta(seconds=1)
    """How often the postings of words are looked at for segments to merge, once there is nothing left to do."""

    @model_validator(mode="after")
    def _refuse_silence(self) -> Self:
        if self.auth_enabled and "HS256" not in self.jwt_algorithms and self.search_embedding_key is None:
            raise UnsafeSettings(
                "Search has no credential for the embedding service:\n"
                "  ML_SEARCH_EMBEDDING_KEY: is missing; set one from `mlp keys create --role service`"
            )
        return self
