"""How much one caller may ask for."""

from mlplatform.ratelimit.decision import Decision
from mlplatform.ratelimit.limiter import RateLimiter

__all__ = ["Decision", "RateLimiter"]
