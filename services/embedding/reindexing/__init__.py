"""Embedding what a space lacks, at once and by many: `scripts/reindex_all.py`."""
