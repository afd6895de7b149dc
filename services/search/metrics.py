"""Prometheus metrics of the search service."""

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

STEP_SECONDS = Histogram("ml_search_step_duration_seconds", "Time of one step of a query.", ["step"], buckets=SECONDS)
QUERIES = Counter("ml_search_queries_total", "Queries answered, by how the vectors were searched.", ["strategy"])
SHORT_SCANS = Counter(
    "ml_search_short_scans_total", "Index scans that found fewer items than asked for although more match."
)
CACHE = Counter("ml_search_cache_total", "Look-ups in the cache of rankings, and those too large for it.", ["outcome"])
DEGRADED = Counter("ml_search_degraded_total", "Answers that one leg is missing from.", ["leg"])
RECALL = Gauge(
    "ml_search_recall", "Share of the ten true neighbours that the HNSW index found when it was last probed."
)
PROBES = Counter("ml_search_probes_total", "Probes of the recall of the HNSW index.", ["outcome"])
RESULTS = Histogram("ml_search_results", "Results of a query.", buckets=(0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000))
INDEXED = Counter("ml_search_indexed_items_total", "Items written, by whether their text is new.", ["content"])
DELETED = Counter("ml_search_deleted_items_total", "Items deleted.")
WAIT_SECONDS = Histogram(
    "ml_search_index_wait_seconds",
    "How long index requests waited for their embeddings.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
MAINTAINED = Counter("ml_search_lexical_maintenance_total", "What was done to keep the postings small.", ["work"])
