"""Files that callers send: what they are is told by their content, and nothing of them is trusted."""
