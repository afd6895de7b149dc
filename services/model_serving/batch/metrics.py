"""What batch jobs measure. Labels hold names and versions of models that exist, never what a caller sent."""

from prometheus_client import Counter, Histogram

CHUNK_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600)

SUBMITTED = Counter("ml_jobs_submitted_total", "Jobs that were accepted.", ["model", "version"])
ENDED = Counter("ml_jobs_ended_total", "Jobs that ended.", ["model", "version", "state"])
ITEMS = Counter("ml_jobs_items_total", "Items with a result.", ["model", "version", "state"])
CHUNK_DURATION = Histogram(
    "ml_jobs_chunk_duration_seconds",
    "From the claim of a chunk to its committed results.",
    ["model", "version"],
    buckets=CHUNK_BUCKETS,
)
CHUNK_WAIT = Histogram("ml_jobs_chunk_wait_seconds", "From queueing a chunk to its claim.", buckets=CHUNK_BUCKETS)
DEATHS = Counter("ml_jobs_deaths_total", "Chunks whose holder died, by how that was noticed.", ["noticed"])
LOST = Counter("ml_jobs_claims_lost_total", "Chunks that another worker took, or that were cancelled, meanwhile.")
WEBHOOKS = Counter("ml_jobs_webhooks_total", "Attempts to tell a receiver of the end of a job.", ["outcome"])
RECYCLED = Counter("ml_jobs_scorers_recycled_total", "Processes that score that had grown past their memory.")
RINGS_LOST = Counter("ml_jobs_rings_lost_total", "Messages of new jobs that the broker did not take.")
