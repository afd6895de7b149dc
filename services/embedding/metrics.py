"""Prometheus metrics of the embedding service."""

from prometheus_client import Counter, Gauge, Histogram

QUEUE_WAIT = Histogram(
    "ml_embedding_queue_wait_seconds",
    "From the arrival of a request to the start of its encoding.",
    ["lane"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
QUEUED_TEXTS = Gauge("ml_embedding_queued_texts", "Texts that wait or are being encoded.")
BATCH_TEXTS = Histogram(
    "ml_embedding_batch_texts", "Texts encoded together.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
BATCH_SECONDS = Histogram(
    "ml_embedding_batch_duration_seconds",
    "Time to encode a batch.",
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
TOKENS = Counter("ml_embedding_tokens_total", "Tokens encoded, without padding.")
PADDED_TOKENS = Counter("ml_embedding_padded_tokens_total", "Tokens computed, padding included.")
TRUNCATED = Counter("ml_embedding_truncated_texts_total", "Texts longer than the model reads.")
ITEMS = Counter("ml_embedding_items_total", "Items taken from the index stream, by what became of them.", ["outcome"])
TRUNCATED_ITEMS = Counter(
    "ml_embedding_truncated_items_total", "Items embedded whose text is longer than the model reads."
)
REQUEUED = Counter("ml_embedding_requeued_items_total", "Pending items whose event was lost and sent again.")
MODEL_LOADED = Gauge("ml_embedding_model_loaded_info", "The model that is served.", ["model", "version"])
REFUSED = Counter("ml_embedding_refused_total", "Requests refused because the queue was full.", ["lane"])
ABANDONED = Counter("ml_embedding_abandoned_total", "Requests to the encoder that nobody waited for any more.")
COALESCED = Counter(
    "ml_embedding_coalesced_texts_total", "Texts answered by the computation of an equal one in flight."
)
CACHE_HITS = Counter("ml_embedding_cache_hits_total", "Texts whose vector was in the cache.")
CACHE_MISSES = Counter("ml_embedding_cache_misses_total", "Texts whose vector was not in the cache.")
CACHE_ERRORS = Counter("ml_embedding_cache_errors_total", "Calls of the cache that Redis did not answer.")
CACHE_DROPPED = Counter("ml_embedding_cache_dropped_total", "Vectors not cached because Redis was behind.")
JOBS = Counter("ml_embedding_jobs_total", "Jobs that ended, by how.", ["state"])
JOB_TEXTS = Counter("ml_embedding_job_texts_total", "Texts of jobs, by what became of them.", ["outcome"])
MODEL_BYTES = Gauge("ml_embedding_models_memory_bytes", "Weights of the models in memory.")
SPACE_STATE = Gauge("ml_embedding_space_info", "Embedding spaces that are not retired.", ["space", "version", "state"])
SPACE_LACKING = Gauge(
    "ml_embedding_space_lacking_items", "Items without a vector that the last pass over them has found.", ["space"]
)
SPACE_PROBLEM = Gauge("ml_embedding_space_problem", "Whether this node cannot embed for a space.", ["space"])
INDEX_VALID = Gauge("ml_embedding_space_index_valid", "Whether the index of a space can be searched.", ["space"])
INDEX_BUILD = Gauge(
    "ml_embedding_space_index_build_ratio",
    "How much of its phase the build of an index has done; absent while none is under way.",
    ["space", "phase"],
)
FILLED = Counter("ml_embedding_filled_items_total", "Items gone over to fill spaces, by outcome.", ["space", "outcome"])
RERANKED_TEXTS = Counter("ml_embedding_reranked_texts_total", "Documents that the re-ranker has scored.")
