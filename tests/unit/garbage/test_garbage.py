"""The collector of a service looks seldom, and still ends what holds itself."""

import subprocess
import sys

SCRIPT = """
import gc, weakref
from mlplatform.garbage import collect_seldom

class Node:
    pass

collections = []
collect_seldom()
gc.callbacks.append(lambda phase, info: collections.append(phase))
requests = [[] for _ in range(40_000)]
print("requests", len(collections))
print("frozen", gc.get_freeze_count() > 0)
node = Node()
node.itself, gone = node, weakref.ref(node)
del node
later = [[] for _ in range(20_000)]
print("cycle", gone() is None)
"""


class TestCollector:
    def test_leaves_requests_in_flight_alone_and_ends_cycles_after_a_while(self) -> None:
        done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["requests", "0", "frozen", "True", "cycle", "True"]
