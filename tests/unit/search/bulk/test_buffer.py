import asyncio

from services.search.bulk.buffer import LINES, SIZE, Buffer
from services.search.bulk.documents import NOTHING, Document


def document(number: int, size: int = 1) -> Document:
    return Document(number, NOTHING, size)


class TestBuffer:
    async def test_what_came_in_is_taken_together(self):
        buffer = Buffer()
        for number in range(3):
            await buffer.put(document(number))

        assert [each.number for each in await buffer.take()] == [0, 1, 2]

    async def test_a_full_batch_has_the_reader_wait(self):
        for size, count in ((1, LINES), (SIZE // 2, 2)):
            buffer = Buffer()
            for number in range(count):
                await buffer.put(document(number, size))
            putting = asyncio.create_task(buffer.put(document(count)))
            await asyncio.sleep(0)
            assert not putting.done()

            assert len(await buffer.take()) == count

            await putting
            assert [each.number for each in await buffer.take()] == [count]

    async def test_closed_it_gives_what_it_has_and_then_nothing(self):
        buffer = Buffer()
        await buffer.put(document(1))
        buffer.close()

        assert [len(await buffer.take()) for _ in range(2)] == [1, 0]
