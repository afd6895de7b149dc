"""Text to vectors: tokens, batches, and the backends that compute them."""
