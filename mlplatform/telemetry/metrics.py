"""Prometheus metrics that every service has.

A service defines its own in its package, named `ml_…`, with labels whose values are few and known.
"""

from prometheus_client import CONTENT_TYPE_LATEST, Histogram, generate_latest

HTTP_DURATION = Histogram(
    "ml_http_request_duration_seconds",
    "Time from the request's first byte in the service to the answer's last.",
    ("service", "method", "route", "status"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
UNMATCHED_ROUTE = "unmatched"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

__all__ = ["CONTENT_TYPE_LATEST", "HTTP_DURATION", "METHODS", "UNMATCHED_ROUTE", "observe_request", "render_metrics"]


def observe_request(*, service: str, method: str, route: str | None, status: int, seconds: float) -> None:
    """Count one request.

    Args:
        service: The service's name.
        method: As the client sent it; unknown ones become one label.
        route: The route's template, or None when no route matched.
        status: Status of the answer; 499 when the client left before it.
        seconds: How long it took.
    """
    HTTP_DURATION.labels(
        service, method if method in METHODS else "other", route or UNMATCHED_ROUTE, str(status)
    ).observe(seconds)


def render_metrics() -> bytes:
    """Return every metric of the process in Prometheus' text format."""
    return generate_latest()
