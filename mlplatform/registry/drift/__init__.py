"""Aliases that stand elsewhere than the ledger has them."""
