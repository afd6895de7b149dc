import asyncio

import orjson

from mlplatform.errors import FieldError
from services.search.bulk.documents import NOTHING, Document
from services.search.bulk.errors import UploadInterrupted
from services.search.bulk.results import Progress, Results


def wrong(number: int) -> Document:
    return Document(number, NOTHING, 1, errors=[FieldError("text", "is missing")])


def told(parts: list[bytes]) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in b"".join(parts).splitlines()]


class TestResults:
    async def test_errors_come_before_the_acknowledgement_of_their_lines(self):
        results = Results()
        results.acknowledge(Progress(2, 1, 1), [wrong(2)])

        part = await anext(aiter(results))

        assert told([part]) == [
            {"line": 2, "errors": [{"field": "text", "message": "is missing"}]},
            {"acknowledged": 2, "stored": 1, "failed": 1},
        ]

    async def test_acknowledgements_that_nobody_took_are_one(self):
        results = Results()
        for number in range(1, 1000):
            results.acknowledge(Progress(number, number, 0), [])
        results.finish("u", Progress(999, 999, 0), None)

        parts = [part async for part in results]

        assert told(parts) == [{"acknowledged": 999, "stored": 999, "failed": 0, "status": "complete", "upload": "u"}]

    async def test_one_who_waits_is_told_at_once(self):
        results = Results()
        parts = aiter(results)
        waiting = asyncio.ensure_future(anext(parts))
        await asyncio.sleep(0)

        results.acknowledge(Progress(1, 1, 0), [])
        first = await waiting
        results.finish("u", Progress(1, 1, 0), UploadInterrupted("why"))

        assert told([first, await anext(parts)]) == [
            {"acknowledged": 1, "stored": 1, "failed": 0},
            {"acknowledged": 1, "stored": 1, "failed": 0, "status": "interrupted", "reason": "why", "upload": "u"},
        ]
