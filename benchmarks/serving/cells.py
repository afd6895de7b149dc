"""What is measured of every contender in a closed loop."""

from dataclasses import dataclass

from benchmarks.serving.contender import Contender, Running
from benchmarks.serving.encodings import BINARY, TENSORS, Encoding
from benchmarks.serving.subjects import LINEAR, TREES
from benchmarks.serving.wrk import Load, measure


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement.

    Attributes:
        name: What reports call it.
        connections: How many clients there are.
        rows: How many rows each request holds.
        subject: The model.
        encoding: The protocol; None is the one that the contender is compared by.
    """

    name: str
    connections: int
    rows: int = 1
    subject: str = LINEAR
    encoding: Encoding | None = None

    def suits(self, contender: Contender) -> bool:
        """Return whether a contender can be measured so."""
        return self.subject in contender.subjects and (self.encoding is None or self.encoding in contender.paths)

    def run(self, running: Running, seconds: float) -> Load:
        """Measure."""
        encoding = self.encoding or running.contender.encoding
        return measure(running.url(encoding), running.message(encoding, self.rows), self.connections, seconds)


ONE = Cell("1 row, c=1", 1)
EIGHT = Cell("1 row, c=8", 8)
PEAK = Cell("1 row, c=32", 32)
HUNDRED = Cell("100 rows, c=4", 4, rows=100)
THOUSAND = Cell("1000 rows, c=4", 4, rows=1000)
TREES_ONE = Cell("LightGBM, 1 row, c=1", 1, subject=TREES)
TREES_PEAK = Cell("LightGBM, 1 row, c=32", 32, subject=TREES)
TENSORS_PEAK = Cell("V2 JSON, 1 row, c=32", 32, encoding=TENSORS)
TENSORS_THOUSAND = Cell("V2 JSON, 1000 rows, c=4", 4, rows=1000, encoding=TENSORS)
BINARY_PEAK = Cell("V2 binary, 1 row, c=32", 32, encoding=BINARY)
BINARY_THOUSAND = Cell("V2 binary, 1000 rows, c=4", 4, rows=1000, encoding=BINARY)
GENERAL = (ONE, EIGHT, PEAK, HUNDRED, THOUSAND)
CELLS = (
    *GENERAL,
    TREES_ONE,
    TREES_PEAK,
    TENSORS_PEAK,
    TENSORS_THOUSAND,
    BINARY_PEAK,
    BINARY_THOUSAND,
)
