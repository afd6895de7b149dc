"""The gate report as a page with plots."""
