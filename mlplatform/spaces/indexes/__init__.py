"""The HNSW indexes of spaces: whether one can be searched, and building it beside readers and writers."""
