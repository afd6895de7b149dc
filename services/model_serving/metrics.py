"""What serving measures. Labels hold names and versions of loaded models only, never what a caller sent."""

from prometheus_client import Counter, Gauge, Histogram

INFERENCE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LOAD_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 10_000)

INFERENCE_DURATION = Histogram(
    "ml_inference_duration_seconds",
    "One call of a model, for the rows of one request or of several.",
    ["model", "version"],
    buckets=INFERENCE_BUCKETS,
)
BATCH_ROWS = Histogram("ml_batch_rows", "Rows of one call of a model.", ["model", "version"], buckets=BATCH_BUCKETS)
BATCH_REQUESTS = Histogram(
    "ml_batch_requests", "Requests that shared one call of a model.", ["model", "version"], buckets=BATCH_BUCKETS
)
QUEUE_WAIT = Histogram(
    "ml_queue_wait_seconds", "Wait of a request for its model.", ["model", "version"], buckets=INFERENCE_BUCKETS
)
EXPLANATION_DURATION = Histogram(
    "ml_explanation_duration_seconds",
    "Explaining the rows of one request.",
    ["model", "version"],
    buckets=INFERENCE_BUCKETS,
)
MODEL_LOADED = Gauge("ml_model_loaded_info", "1 for each version in memory.", ["model", "version", "role"])
MODEL_MEMORY = Gauge(
    "ml_model_memory_bytes", "Bytes that a version in memory is thought to take.", ["model", "version"]
)
MEMORY_USED = Gauge("ml_models_memory_bytes", "Bytes that all versions in memory are thought to take.")
MEMORY_LIMIT = Gauge("ml_models_memory_limit_bytes", "Most bytes that they may take, from ML_SERVING_MEMORY.")
EVICTIONS = Counter("ml_model_evictions_total", "Versions that left memory to make room for others.", ["model"])
ON_DISK = Gauge("ml_models_not_in_memory", "Models in production that the next request for them has to load.")
LOAD_DURATION = Histogram(
    "ml_model_load_duration_seconds", "Download, load and warm-up of a version.", ["model"], buckets=LOAD_BUCKETS
)
LOAD_FAILURES = Counter("ml_model_load_failures_total", "Versions that could not be loaded.", ["model"])
SWAP_DURATION = Histogram(
    "ml_model_swap_duration_seconds",
    "From noticing a promotion to serving the version.",
    ["model"],
    buckets=LOAD_BUCKETS,
)
ALIAS_MISSING = Gauge(
    "ml_model_alias_missing", "1 while a model is served although its production alias is gone.", ["model"]
)
REGISTRY_REACHABLE = Gauge("ml_registry_reachable", "1 when the last poll of MLflow was answered.")
