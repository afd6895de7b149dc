"""How much one caller may ask for."""

from mlplatform.ratelimit.limiter import Decision, RateLimiter

__all__ = ["Decision", "RateLimiter"]
