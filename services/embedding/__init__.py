"""Embedding service: turns text into vectors, and fills the vector index from the stream of indexed items."""

import os

# Read by OpenMP when torch is loaded, which every module below may be the first to do. By default its threads spin
# while they wait for each other; where they share their cores with other processes, one short text then took 380 ms
# instead of 16.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
