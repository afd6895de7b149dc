"""What Prometheus sees of events; labels are bounded by the code, never by data."""

from prometheus_client import Counter, Gauge

OUTBOX_PENDING = Gauge("ml_outbox_pending", "Events not published yet, counted up to 10,000.")
OUTBOX_PUBLISHED = Counter("ml_outbox_published_total", "Events put on their stream.", ["type"])
OUTBOX_REFUSED = Counter("ml_outbox_refused_total", "Attempts at an event that Redis refused.", ["type"])
PROCESSED = Counter("ml_events_processed_total", "Events handled and acknowledged.", ["stream", "group"])
FAILED = Counter("ml_events_failed_total", "Deliveries whose handler failed.", ["stream", "group"])
DEAD = Counter("ml_events_dead_total", "Entries moved to the dead letters.", ["stream", "group"])
LAG = Gauge("ml_events_lag_seconds", "Age of the oldest entry not handled yet; 0 without one.", ["stream", "group"])
