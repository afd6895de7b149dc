"""The HTTP routes of serving; each parses, calls and renders."""
