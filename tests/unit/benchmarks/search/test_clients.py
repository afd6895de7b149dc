import threading

import pytest

from benchmarks.search.clients import FAILED, measure


class TestMeasure:
    def test_every_query_is_asked_once_and_the_first_are_not_counted(self):
        asked: list[str] = []
        queries = [str(number) for number in range(50)]

        def ask(query: str) -> int:
            asked.append(query)
            return 10

        timing = measure(lambda: ask, queries, clients=4, wanted=10)
        assert sorted(asked) == sorted(queries)
        assert timing.queries == 45
        assert timing.short == 0

    def test_clients_ask_at_the_same_time(self):
        together = threading.Barrier(3, timeout=30)

        def ask(_: str) -> int:
            together.wait()  # breaks unless three are there
            return 1

        assert measure(lambda: ask, ["query"] * 30, clients=3, wanted=1).queries == 27

    def test_short_answers_are_counted(self):
        timing = measure(lambda: int, ["9", "10"] * 20, clients=1, wanted=10)
        assert timing.short == 18

    def test_failed_queries_are_not_called_short(self):
        results = {"none": FAILED, "few": 3, "all": 10}
        timing = measure(lambda: results.__getitem__, ["none", "few", "all"] * 20, clients=1, wanted=10)
        assert (timing.failed, timing.short, timing.queries) == (18, 18, 54)

    def test_failure_of_one_client_ends_the_measurement(self):
        def ask(query: str) -> int:
            raise ConnectionError(query)

        with pytest.raises(ConnectionError):
            measure(lambda: ask, ["query"] * 30, clients=4, wanted=1)
