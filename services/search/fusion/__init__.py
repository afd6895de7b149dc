"""One ranking out of two."""

from services.search.fusion.fuse import Hits, Method, Scale, extend, fuse, scale_of
from services.search.fusion.fused import Fused

__all__ = ["Fused", "Hits", "Method", "Scale", "extend", "fuse", "scale_of"]
