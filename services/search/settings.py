"""Settings of the search service."""

from datetime import timedelta
from typing import Annotated

from pydantic import ByteSize, Field

from mlplatform.settings import PlatformSettings
from mlplatform.settings.base import Duration


class SearchSettings(PlatformSettings):
    """Settings of the kernel, and the limits of items and queries."""

    search_port: Annotated[int, Field(ge=1, le=65535)] = 9007
    """Port the search service listens on."""
    search_items_per_request: Annotated[int, Field(ge=1)] = 1000
    """Most items in one index request."""
    search_text_characters: Annotated[int, Field(ge=1)] = 100_000
    """Longest text of an item or query, in characters."""
    search_metadata_size: Annotated[ByteSize, Field(ge=2)] = ByteSize(16 * 1024)
    """Largest metadata of an item, as JSON."""
    search_wait: Duration = timedelta(seconds=60)
    """Longest time that an index request may wait for its embeddings."""
    search_poll_interval: Duration = timedelta(milliseconds=250)
    """How often a waiting index request asks the database; events wake it earlier."""
    search_exact_rows: Annotated[int, Field(ge=1)] = 3000
    """Matching items up to which every vector is compared; above, the HNSW index is used. Measured: comparing wins
    below two to three thousand."""
    search_scan_tuples: Annotated[int, Field(ge=1)] = 20_000
    """Vectors that the HNSW index may visit for one query. When those do not suffice, every match is compared."""
