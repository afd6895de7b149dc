"""Search by words: BM25 over postings that Postgres keeps beside the items."""

from services.search.lexical.blocks import BlockMemory
from services.search.lexical.hit import Hit
from services.search.lexical.leg import LexicalHits, LexicalLeg, Reason
from services.search.lexical.maintenance import LexicalMaintenance
from services.search.lexical.query import LexicalQuery, parse_query

__all__ = [
    "BlockMemory",
    "Hit",
    "LexicalHits",
    "LexicalLeg",
    "LexicalMaintenance",
    "LexicalQuery",
    "Reason",
    "parse_query",
]
