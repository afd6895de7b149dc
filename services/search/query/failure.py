"""What is said of a leg that failed."""

import psycopg
import structlog

from mlplatform.errors import DependencyUnavailable
from mlplatform.spaces.busy import GONE
from services.search.query.ranking import Leg

logger = structlog.get_logger(__name__)


def unavailable(leg: Leg, error: Exception) -> DependencyUnavailable:
    """Log the failure of a leg, and return what callers are told."""
    is_outage = isinstance(error, (TimeoutError, psycopg.OperationalError, DependencyUnavailable, *GONE))
    logger.warning("search.leg_failed", leg=leg, error=type(error).__name__, exc_info=None if is_outage else error)
    slow = isinstance(error, TimeoutError | psycopg.errors.QueryCanceled)
    what = "took too long" if slow else "failed"
    return DependencyUnavailable("postgres", f"The {leg} search {what}; try again shortly.")
