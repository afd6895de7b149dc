"""One ranking out of two."""

from services.search.fusion.fuse import Hits, Method, Scale, extend, extend_words, fuse, scale_of, weight_of
from services.search.fusion.fused import Fused

__all__ = ["Fused", "Hits", "Method", "Scale", "extend", "extend_words", "fuse", "scale_of", "weight_of"]
