"""Search by words: BM25 over postings that Postgres keeps beside the items."""

from services.search.lexical.leg import Hit, LexicalHits, Reason, search_lexical
from services.search.lexical.maintenance import LexicalMaintenance
from services.search.lexical.query import LexicalQuery, parse_query

__all__ = [
    "Hit",
    "LexicalHits",
    "LexicalMaintenance",
    "LexicalQuery",
    "Reason",
    "parse_query",
    "search_lexical",
]
