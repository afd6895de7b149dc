"""Settings of batch jobs, which the serving service has too."""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import BeforeValidator, ByteSize, Field, SecretStr
from pydantic_settings import NoDecode

from mlplatform.settings import PlatformSettings
from mlplatform.settings.base import Duration
from mlplatform.settings.parsing import split_list

MIB = 1024 * 1024


class BatchSettings(PlatformSettings):
    """What an operator can change about batch jobs."""

    batch_port: Annotated[int, Field(ge=1, le=65535)] = 9008
    """Port on which a worker answers for its health and metrics."""
    batch_processes: Annotated[int, Field(ge=1, le=64)] = 1
    """Chunks that one worker has under way, each in a process of its own that holds its own models."""
    batch_models: Annotated[int, Field(ge=1)] = 2
    """Versions that such a process keeps in memory; the least recently used goes first."""
    batch_scorer_memory: Annotated[ByteSize, Field(ge=1)] = ByteSize(4 * 1024 * MIB)
    """Memory of its own above which such a process is replaced after a chunk; the next one loads its models again."""
    batch_max_items: Annotated[int, Field(ge=1)] = 10_000
    """Items that a job submitted as JSON may have; more are answered 422."""
    batch_max_reviews: Annotated[int, Field(ge=1)] = 10_000
    """Rows of a table that are reviewed at most, the first scored; each is kept in Postgres with its answer."""
    batch_chunk_items: Annotated[int, Field(ge=1, le=100_000)] = 256
    """Items of a chunk, which is scored and stored as a whole unless that takes longer than a turn."""
    batch_turn: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=1)
    """How long a chunk is scored before its results are stored and its other items wait for their next turn."""
    batch_lease: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(seconds=30)
    """How long a chunk stays with a worker that says nothing; then another one takes it."""
    batch_chunk_timeout: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(minutes=10)
    """How long a chunk may be scored before its process is ended."""
    batch_poll_interval: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=1)
    """How often an idle worker looks for chunks that no message told it of."""
    batch_visibility_timeout: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(hours=1)
    """After which Redis delivers a message again that nobody acknowledged; chunks may take longer than this."""
    batch_retention: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(days=7)
    """How long a job and its results are kept after its end."""
    batch_max_table_size: Annotated[ByteSize, Field(ge=1)] = ByteSize(4 * 1024 * 1024 * 1024)
    """Largest table that can be uploaded; a larger one is answered 413."""
    max_file_size: Annotated[ByteSize, Field(ge=1)] = ByteSize(50 * MIB)
    """Largest file that can be uploaded, and largest file in an archive when it is unpacked."""
    max_files_per_batch: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Files of one upload; an archive counts as one."""
    max_total_upload_size: Annotated[ByteSize, Field(ge=1)] = ByteSize(500 * MIB)
    """Largest upload, and most that its archives may unpack to."""
    batch_archive_entries: Annotated[int, Field(ge=1, le=60_000)] = 1000
    """Entries that an archive may have."""
    batch_image_pixels: Annotated[int, Field(ge=1)] = 50_000_000
    """Width times height of the largest image that is decoded; an item with a larger one fails."""
    batch_text_characters: Annotated[int, Field(ge=1)] = 1_000_000
    """Characters of the longest text; an item with a longer one fails."""
    batch_quota_files: Annotated[int, Field(ge=1)] = 100_000
    """Uploaded files of a tenant that are kept at a time; with more, uploads are answered 429."""
    batch_quota_bytes: Annotated[ByteSize, Field(ge=1)] = ByteSize(20 * 1024 * MIB)
    """Bytes of them."""
    batch_quota_items: Annotated[int, Field(ge=1)] = 10_000_000
    """Items of a tenant's jobs that are kept at a time; with more, jobs are answered 429. No table may have more."""
    batch_max_spool_size: Annotated[ByteSize, Field(ge=1)] = ByteSize(16 * 1024 * MIB)
    """Bytes that uploads under way may have on the disk of one machine, all together; more are answered 503."""
    batch_upload_lease: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(minutes=1)
    """How long what an upload under way has reserved counts when its process has died."""
    batch_upload_grace: Annotated[Duration, Field(ge=timedelta(minutes=1))] = timedelta(hours=3)
    """How long files of an upload are left alone that neither became a job nor goes on."""
    batch_webhook_secret: Annotated[SecretStr, Field(min_length=32)] | None = None
    """Of which the keys come that webhooks are signed with, one for each tenant; without it webhooks are off."""
    batch_webhook_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(split_list)] = ()
    """Private networks that webhooks may lead into, such as `10.1.0.0/16`; only there without TLS."""
    batch_webhook_ports: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65535)], ...], NoDecode, BeforeValidator(split_list)
    ] = (443, 8443)
    """Ports that webhooks may lead to."""
    batch_webhook_timeout: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(minutes=1))] = timedelta(seconds=10)
    """How long a receiver may take to answer a webhook."""
