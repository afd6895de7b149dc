"""Who gets which version: a hash, so that every replica gives the same answer without asking another."""

from hashlib import blake2b

BUCKETS = 10_000


def bucket(model: str, salt: str, key: str) -> int:
    """Return a number in [0, 10000) that depends on nothing but the arguments, and is spread evenly over keys."""
    digest = blake2b(f"{model}\0{salt}\0{key}".encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % BUCKETS
