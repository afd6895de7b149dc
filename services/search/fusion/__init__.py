"""One ranking out of two."""

from services.search.fusion.fuse import Hits, Method, extend, fuse
from services.search.fusion.fused import Fused

__all__ = ["Fused", "Hits", "Method", "extend", "fuse"]
