"""How many bytes a model takes in memory, before anybody measured it."""

MEBIBYTE = 2**20
FACTORS = {"pyfunc": 2.0}
FLOOR = MEBIBYTE


def memory_of(flavor: str, artifacts: int) -> int:
    """Estimate the bytes."""
    return int(max(FLOOR, artifacts * FACTORS.get(flavor, 2.0)))
