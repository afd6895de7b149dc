"""From inputs to predictions; knows no HTTP."""
