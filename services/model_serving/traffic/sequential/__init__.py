"""Tests that hold however often one looks and whenever one stops."""
