"""`mlp batch` against a running service and a worker."""

import asyncio
import gzip
import json
import os
import pty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mlplatform.objects import ObjectStore
from services.model_serving.settings import ServingSettings
from tests.fixtures.forked import ForkedProcess
from tests.fixtures.programs import IMPORTED, run_mlp
from tests.integration.model_serving.batch.conftest import objects, settings
from tests.integration.model_serving.batch.workers import worker
from tests.integration.model_serving.conftest import publisher
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import DEADLINE, eventually, on_a_socket, serving
from tests.unit.model_serving.batch.uploads.corpus import packed

__all__ = ["objects", "publisher", "settings"]

ROWS = "a,b,c\n" + "".join(f"{number},0,0\n" for number in range(20))
QUOTA = 1 << 20
SECRET = "the secret of an operator, long enough"


@dataclass(frozen=True)
class Shell:
    """Where a test types commands."""

    model: str
    environment: dict[str, str]
    folder: Path

    async def type(self, *words: object) -> tuple[int, str, str]:
        """Run a command as a process of its own; return its status and what it printed."""
        ran = await asyncio.to_thread(run_mlp, "batch", *map(str, words), environment=os.environ | self.environment)
        return ran.returncode, ran.stdout, ran.stderr

    @asynccontextmanager
    async def on_a_terminal(self, *words: object) -> AsyncIterator[tuple["Screen", ForkedProcess]]:
        """Run a command on a terminal, for the time of the block."""
        ours, theirs = pty.openpty()
        environment = os.environ | self.environment | {"TERM": "xterm"}
        with os.fdopen(theirs, "wb") as output:
            process = await ForkedProcess.start(
                *("-m", "tests.fixtures.mlp", "batch", *map(str, words)),
                imported=IMPORTED,
                environment=environment,
                output=output,
            )
        try:
            yield Screen(ours), process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            asyncio.get_running_loop().remove_reader(ours)
            os.close(ours)

    def file(self, name: str, text: str) -> Path:
        """Write a file of items."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


class Screen:
    """What a terminal was sent.

    Args:
        terminal: Its descriptor, at our end.
    """

    def __init__(self, terminal: int) -> None:
        self.text = ""
        self._terminal = terminal
        asyncio.get_running_loop().add_reader(terminal, self._read)

    async def shows(self, text: str) -> None:
        """Wait until something was on it."""

        async def there() -> bool:
            return text in self.text

        await eventually(there)

    def _read(self) -> None:
        try:
            self.text += os.read(self._terminal, 65536).decode(errors="replace")
        except OSError:  # nobody has the other end any more
            asyncio.get_running_loop().remove_reader(self._terminal)


@pytest.fixture
async def shell(
    settings_env: dict[str, str],
    settings: ServingSettings,
    objects: ObjectStore,
    publisher: Publisher,
    tmp_path: Path,
) -> AsyncIterator[Shell]:
    """Yield a shell beside a service on a socket, without a worker."""
    publisher.linear(2.0)
    environment = settings_env | {"ML_S3_BUCKET": settings.s3_bucket}
    limits = {"ML_BATCH_WEBHOOK_SECRET": SECRET, "ML_BATCH_QUOTA_BYTES": str(QUOTA)}
    async with serving(environment, publisher, tmp_path, **limits) as service, on_a_socket(service) as url:
        yield Shell(publisher.name, settings_env | {"ML_SERVING_URL": url, "COLUMNS": "200"}, tmp_path)


class TestWorked:
    async def test_submitted_watched_and_fetched(
        self, settings: ServingSettings, shell: Shell, settings_env: dict[str, str]
    ) -> None:
        rows = shell.file("rows.csv", ROWS)
        async with worker(settings_env | {"ML_S3_BUCKET": settings.s3_bucket}, shell.folder):
            status, printed, said = await shell.type(
                "submit", shell.model, rows, "--version", 1, "--watch", "--json", "--key", "once"
            )
            assert status == 0, said
            job = json.loads(printed)
            assert (job["state"], job["items"], job["succeeded"]) == ("completed", 20, 20)
            status, printed, _ = await shell.type(
                "submit", shell.model, rows, "--version", 1, "--key", "once", "--json"
            )
            assert (status, json.loads(printed)["id"]) == (0, job["id"])
            output = shell.folder / "results.jsonl"
            status, _, said = await shell.type("fetch", job["id"], "--output", output)
            assert status == 0, said
            results = [json.loads(line) for line in output.read_text().splitlines()]
            assert [one["item"] for one in results] == list(range(20))
            assert len({one["prediction"] for one in results}) == 20
            status, printed, said = await shell.type("fetch", job["id"])
            assert (status, printed) == (0, output.read_text()), said
            parquet = shell.folder / "all.parquet"
            status, printed, said = await shell.type("fetch", job["id"], "-o", parquet, "--json")
            assert status == 0, said
            assert json.loads(printed) == {"job": job["id"], "output": str(parquet), "bytes": parquet.stat().st_size}
            assert pq.read_table(parquet).to_pylist() == results
            status, printed, _ = await shell.type("fetch", job["id"], "--format", "csv")
            assert (status, printed.splitlines()[0]) == (0, '"item","prediction","code","error"')

    async def test_items_that_fail_are_told(
        self, settings: ServingSettings, shell: Shell, settings_env: dict[str, str]
    ) -> None:
        rows = shell.file("rows.jsonl", '{"a": 1, "b": 0, "c": 0}\n{"a": "no number", "b": 0, "c": 0}\n')
        async with worker(settings_env | {"ML_S3_BUCKET": settings.s3_bucket}, shell.folder):
            status, printed, _ = await shell.type("submit", shell.model, rows, "--version", 1, "--watch")
            assert status == 1
            assert "1 succeeded, 1 failed" in printed
            job = printed.split()[1]
            status, printed, _ = await shell.type("fetch", job, "--failed")
            (failed,) = map(json.loads, printed.splitlines())
            assert (status, failed["item"], failed["error"]["code"]) == (0, 1, "invalid_inputs")
            status, printed, _ = await shell.type("fetch", job)
            assert [json.loads(line)["code"] for line in printed.splitlines()] == [None, "invalid_inputs"]


class TestWatch:
    async def test_a_bar_grows_with_the_job_until_its_end(
        self, settings: ServingSettings, shell: Shell, settings_env: dict[str, str], publisher: Publisher
    ) -> None:
        gates = shell.folder / "gates"
        version = publisher.gated(gates).version
        rows = shell.file("rows.csv", "a,b,c\n" + "".join(f"{number},0,0\n" for number in range(100, 103)))
        status, printed, said = await shell.type("submit", shell.model, rows, "--version", version, "--json")
        assert status == 0, said
        job = json.loads(printed)["id"]
        environment = settings_env | {"ML_S3_BUCKET": settings.s3_bucket, "ML_BATCH_TURN": "1ms"}
        async with (
            worker(environment, shell.folder),
            shell.on_a_terminal("watch", job) as (screen, process),
        ):
            for done in range(3):
                await screen.shows(f"{done}/3")  # as the next item waits for its gate
                (gates / f"{100 + done}").touch()
            async with asyncio.timeout(DEADLINE):
                assert await process.wait() == 0
            await screen.shows("completed: 3 succeeded")
        assert "running" in screen.text
        assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" in screen.text


class TestTable:
    async def test_all_of_its_rows_are_in_the_file(
        self, settings: ServingSettings, shell: Shell, settings_env: dict[str, str]
    ) -> None:
        table = shell.file("rows.csv", ROWS.replace(",", ";") + "3;1;no number\n")
        async with worker(settings_env | {"ML_S3_BUCKET": settings.s3_bucket}, shell.folder):
            status, printed, said = await shell.type(
                "submit", shell.model, "--table", table, "--delimiter", ";", "--version", 1, "--key", "once"
            )
            assert status == 0, said
            job = printed.split()[1].removesuffix(":")
            assert f"next: mlp batch watch {job}" in printed
            status, printed, _ = await shell.type("watch", job)
            assert (status, f"next: mlp batch fetch {job} --output results.parquet" in printed) == (1, True)
            for form, rows in (("csv", 22), ("jsonl", 21)):
                output = shell.folder / f"results.{form}"
                status, _, said = await shell.type("fetch", job, "--output", output)
                assert (status, f"mlp batch fetch {job} --failed" in said) == (0, True), said
                assert len(output.read_text().splitlines()) == rows
            status, _, said = await shell.type("fetch", job, "--output", shell.folder / "results.parquet")
            assert status == 0, said
            assert pq.read_table(shell.folder / "results.parquet").num_rows == 21
            status, printed, _ = await shell.type("fetch", job, "--failed")
            assert [json.loads(line)["item"] for line in printed.splitlines()] == [20]
        status, _, said = await shell.type("fetch", job, "--output", shell.folder / "results.xlsx")
        assert (status, ".parquet" in said) == (64, True)
        assert list(shell.folder.glob("*.part")) == []

    async def test_part_of_it_is_not_taken_for_all(self, shell: Shell) -> None:
        status, printed, said = await shell.type(
            "submit", shell.model, "--table", shell.file("rows.csv", ROWS), "--version", 1, "--json"
        )
        assert status == 0, said
        job = json.loads(printed)["id"]
        status, printed, said = await shell.type("fetch", job, "--partial")
        assert (status, printed, "add --failed" in said) == (1, "", True)

    async def test_one_for_which_there_is_no_room_is_refused_while_it_is_sent(self, shell: Shell) -> None:
        table = shell.file("rows.csv", "a,b,c\n" + "1.0,2.0,3.0\n" * (30 * QUOTA // 12))
        status, printed, said = await shell.type("submit", shell.model, "--table", table, "--version", 1)
        assert (status, printed, "ML_BATCH_QUOTA_BYTES" in said) == (1, "", True), said


class TestFiles:
    async def test_a_folder_and_an_archive(
        self, settings: ServingSettings, shell: Shell, settings_env: dict[str, str]
    ) -> None:
        folder = shell.folder / "texts"
        folder.mkdir()
        for number in range(150):
            (folder / f"{number:03}.txt").write_text(f"text {number}")
        archive = shell.folder / "more.zip"
        archive.write_bytes(packed({"x.txt": b"one", "y.txt": b"two"}))
        async with worker(settings_env | {"ML_S3_BUCKET": settings.s3_bucket}, shell.folder):
            status, printed, said = await shell.type(
                "submit", shell.model, folder, archive, "--version", 1, "--watch", "--json"
            )
            assert status == 1, said  # the model takes no texts, which its items say
            job = json.loads(printed)
            assert (job["kind"], job["items"], job["failed"]) == ("files", 152, 152)
            status, printed, said = await shell.type("fetch", job["id"])
            assert status == 0, said
        rows = [json.loads(line) for line in printed.splitlines()]
        assert [row["name"] for row in rows] == [*(f"{number:03}.txt" for number in range(150)), "x.txt", "y.txt"]
        assert all(row["error"] for row in rows)

    async def test_names_are_those_in_the_folder(
        self, settings: ServingSettings, shell: Shell, settings_env: dict[str, str]
    ) -> None:
        folder = shell.folder / "texts"
        for name in ("C: notes.txt", "a\\b.txt", "logs.tar.gz", "x/at 9.41\u202fAM.txt", "x/y/👩\u200d🔬.txt"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("text")
        (folder / "logs.tar.gz").write_bytes(gzip.compress(b"text"))
        async with worker(settings_env | {"ML_S3_BUCKET": settings.s3_bucket}, shell.folder):
            status, printed, said = await shell.type("submit", shell.model, folder, "--version", 1, "--watch", "--json")
            assert status == 1, said  # the model takes no texts, which its items say
            status, printed, said = await shell.type("fetch", json.loads(printed)["id"])
            assert status == 0, said
        assert [(row["name"], row["code"]) for row in map(json.loads, printed.split("\n")[:-1])] == [
            ("C_ notes.txt", "invalid_inputs"),
            ("a_b.txt", "invalid_inputs"),
            ("logs.tar.gz", "unknown_content"),
            ("x/at 9.41\u202fAM.txt", "invalid_inputs"),
            ("x/y/👩\u200d🔬.txt", "invalid_inputs"),
        ]

    async def test_what_the_service_says(self, shell: Shell) -> None:
        status, _, said = await shell.type("submit", shell.model, shell.file("a.txt", "text"), "--version", 77)
        assert (status, "77" in said) == (1, True), said
        (shell.folder / "a.pdf").write_bytes(b"%PDF-1.7")
        status, _, said = await shell.type("submit", shell.model, shell.folder / "a.pdf", "--version", 1)
        assert (status, "PDF" in said) == (1, True), said
        status, _, said = await shell.type("submit", shell.model, shell.folder / "a.pdf", "--delimiter", ";")
        assert (status, "--delimiter" in said) == (64, True)
        status, _, said = await shell.type(
            "submit", shell.model, "--table", shell.file("a.csv", ROWS), "--version", 1, "--param", "a=1"
        )
        assert (status, "query.params.a" in said) == (1, True), said


class TestRefused:
    async def test_results_of_a_job_that_goes_on(self, shell: Shell) -> None:
        status, printed, said = await shell.type(
            "submit", shell.model, shell.file("rows.csv", ROWS), "--version", 1, "--json"
        )
        assert status == 0, said
        job = json.loads(printed)["id"]
        status, _, said = await shell.type("fetch", job)
        assert status == 1
        assert f"mlp batch watch {job}" in said
        status, printed, _ = await shell.type("fetch", job, "--partial")
        assert (status, printed) == (0, "")

    async def test_what_the_service_says(self, shell: Shell) -> None:
        rows = shell.file("rows.csv", ROWS)
        status, _, said = await shell.type("submit", shell.model, rows, "--version", 77)
        assert (status, "77" in said) == (1, True)
        status, _, said = await shell.type("submit", shell.model, rows, "--webhook", "https://127.0.0.1/")
        assert (status, "body.webhook" in said) == (1, True)
        status, _, said = await shell.type("submit", shell.model, rows, "--version", 1, "--alias", "a")
        assert (status, "not both" in said) == (64, True)
        status, _, said = await shell.type("submit", shell.model, rows, "--param", "x")
        assert (status, "--param" in said) == (64, True)


class TestKey:
    async def test_it_is_the_same_each_time(self, shell: Shell) -> None:
        first, second = await shell.type("webhook-key"), await shell.type("webhook-key")
        assert first[0] == 0, first[2]
        assert first[1] == second[1]
        assert len(first[1].strip()) == 64
