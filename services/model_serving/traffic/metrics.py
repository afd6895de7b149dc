"""What traffic measures. Labels hold names from routing documents and versions they routed to, none of a caller's."""

from prometheus_client import Counter, Gauge

REQUESTS = Counter(
    "ml_traffic_requests_total",
    "Requests of models with a routing document, by how they were routed and how they ended.",
    ["model", "version", "route", "outcome"],
)
REVISION = Gauge("ml_traffic_revision", "Revision of the routing document in effect; 0 when there is none.", ["model"])
READY = Gauge("ml_traffic_target_ready", "1 when a version that the document names can answer.", ["model", "target"])
ABORTS = Counter("ml_traffic_aborts_total", "Canaries and arms stopped by the rule.", ["model", "route", "cause"])
UNSENT = Gauge("ml_traffic_measurements_unsent", "Rows of measurements that wait for Postgres.")
SHADOWED = Counter(
    "ml_shadow_requests_total",
    "Copies of requests: compared, error, incomparable, or dropped and why.",
    ["model", "version", "outcome"],
)
SHADOW_WAITING = Gauge("ml_shadow_queue_requests", "Copies that wait to be scored.")
