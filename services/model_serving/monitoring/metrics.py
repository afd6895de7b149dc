"""What monitoring measures.

Columns are those of reference profiles, at most `ML_MONITORING_METRIC_COLUMNS` of a version.
"""

from prometheus_client import Counter, Gauge, Histogram

LOG_WRITTEN = Counter("ml_prediction_log_written_total", "Rows that were logged.")
LOG_DROPPED = Counter(
    "ml_prediction_log_dropped_total",
    "Sampled requests that were not logged.",
    ["reason"],
)
for reason in ("queue_full", "rate_limit", "database", "unreadable"):
    LOG_DROPPED.labels(reason)  # a counter that appears with its first event shows no increase
LOG_QUEUE = Gauge("ml_prediction_log_queue", "Requests that wait to be logged.")
LOG_QUEUE_CAPACITY = Gauge("ml_prediction_log_queue_capacity", "Requests that may wait to be logged.")
FEEDBACK = Counter("ml_feedback_total", "Labels that came in, by what became of them.", ["status"])
DRIFT_SCORE = Gauge(
    "ml_drift_score",
    "Population stability index of a column in the last window, less what chance gives.",
    ["model", "version", "part", "column"],
)
DRIFT_ALARM = Gauge("ml_drift_alarm", "Columns of the last window that raise the alarm.", ["model", "version", "part"])
DRIFT_ROWS = Gauge("ml_drift_window_rows", "Rows of the last window.", ["model", "version"])
QUALITY = Gauge("ml_quality", "Quality on labelled predictions.", ["model", "version", "route", "metric"])
QUALITY_LABELS = Gauge("ml_quality_labels", "Labelled predictions behind it.", ["model", "version", "route"])
EVALUATION = Histogram(
    "ml_monitoring_evaluation_seconds",
    "Comparison of one version's window.",
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60),
)
EVALUATED = Gauge("ml_monitoring_last_window_timestamp_seconds", "When the newest stored window ended.")
FAILURES = Counter("ml_monitoring_failures_total", "Windows that could not be compared.", ["model"])
